-- Foreword's schema, version {{version}}: tables, row level security and every function the server calls.
-- Built from sql/ by `npm run schema`: change the pieces there, not this file. Paste it whole into Supabase's
-- SQL editor, or apply it with `foreword migrate`. It may be applied again at any time, also over the two
-- tables of the service that Foreword replaces: their rows stay. Postgres 15 to 18. `foreword schema` prints
-- it with the configured table names.

begin;

\ir own-schema.sql

\ir start.sql

\ir roles.sql

-- Tables. --------------------------------------------------------------------------------------------------

\ir tables/*.sql

\ir steps.sql

\ir old-rows.sql

\ir functions/triggers/*.sql

\ir indexes.sql

\ir foreign-keys.sql

\ir passage-vectors.sql

-- Access. --------------------------------------------------------------------------------------------------

\ir policies.sql

-- Functions. Each takes one JSON argument, returns JSON, and is one transaction. ----------------------------

\ir functions/internal/*.sql

\ir functions/access/*.sql

\ir functions/messages/*.sql

\ir functions/turns/*.sql

\ir functions/conversations/*.sql

\ir functions/search/*.sql

\ir functions/usage/*.sql

\ir functions/attachments/*.sql

\ir functions/documents/*.sql

\ir old-functions.sql

\ir grants.sql

-- PostgREST, which is Supabase's HTTP API, sees the functions at once.
notify pgrst, 'reload schema';

commit;
