-- Foreword's schema, version 12: tables, row level security and every function the server calls.
-- Built from sql/ by `npm run schema`: change the pieces there, not this file. Paste it whole into Supabase's
-- SQL editor, or apply it with `foreword migrate`. It may be applied again at any time, also over the two
-- tables of the service that Foreword replaces: their rows stay. Postgres 15 to 18. `foreword schema` prints
-- it with the configured table names.

begin;

-- The schema `foreword` holds parts of the functions. Its owner can replace them, so it must be the role that
-- applies this file, or the functions' owner.
do $$
declare
  v_owner name;
begin
  select pg_get_userbyid(n.nspowner) into v_owner from pg_namespace n
    where n.nspname = 'foreword' and pg_get_userbyid(n.nspowner) <> current_user
      and not (pg_has_role(n.nspowner, 'usage') and exists (select from pg_proc p
        where p.oid = to_regprocedure('public.chat_describe_schema(jsonb)') and p.proowner = n.nspowner));
  if v_owner is not null then
    raise exception 'the schema foreword belongs to %, and % applies Foreword''s: nothing was changed', v_owner, current_user
      using errcode = 'insufficient_privilege', hint = format(
        'Apply this as %1$I; or run: alter schema foreword owner to %2$I; '
        || 'or, if another program uses it: alter schema foreword rename to another_name',
        v_owner, current_user);
  end if;
  if to_regclass('foreword.schema_steps') is not null and not exists (
    select from pg_attribute where attrelid = to_regclass('foreword.schema_steps') and attname = 'on_table'
  ) then
    raise exception 'the table foreword.schema_steps is another program''s: nothing was changed'
      using errcode = 'duplicate_table', hint = 'Run: alter schema foreword rename to another_name';
  end if;
end $$;

-- One migration at a time, and never back to an older version: servers that need the newer one would fail.
-- The functions know the version: they have the same names whatever the tables are called.
do $$
declare
  c_version constant integer := 12;
  v_version integer;
  v_tables regclass[];
  v_attempts integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('foreword schema'));
  if to_regprocedure('public.chat_describe_schema(jsonb)') is not null then
    begin
      v_version := (public.chat_describe_schema('{}') ->> 'version')::integer;
    exception -- some of it was dropped by hand
      when undefined_table or undefined_function or undefined_object or invalid_schema_name then null;
    end;
  end if;
  if v_version > c_version then
    raise exception 'this database holds version % of Foreword''s schema, and this file has version %, which is older: nothing was changed', v_version, c_version
      using errcode = 'FW002', hint = 'Upgrade Foreword, and apply the schema it comes with.';
  end if;

  -- From here on no statement waits long for a lock, because every read would queue behind it. Statements
  -- that change tables need them exclusively, and lock them all at once or not at all: a transaction that
  -- held one and wanted another would be the victim of a deadlock.
  set local lock_timeout = '200ms';
  if v_version is distinct from c_version then
    v_tables := array(
      select to_regclass(name)
        from unnest(array['public.conversations', 'public.messages', 'public.turns', 'public.turn_pieces',
        'public.turn_events', 'public.turn_waits', 'public.context_summaries', 'public.deleted_conversations',
        'public.daily_usage', 'public.request_counts', 'public.knowledge_bases', 'public.documents',
        'public.passages', 'public.title_words', 'public.message_words']) name
      where to_regclass(name) is not null);
    while cardinality(v_tables) > 0 loop
      begin
        execute format('lock table %s in access exclusive mode', array_to_string(v_tables, ', '));
        exit;
      exception when lock_not_available then
        v_attempts := v_attempts + 1;
        if v_attempts = 50 then
          raise exception 'other transactions hold the tables: nothing was changed'
            using errcode = 'lock_not_available',
              hint = 'End long transactions (see pg_stat_activity), and apply this again.';
        end if;
        perform pg_sleep(0.1 + random() / 5);
      end;
    end loop;
  end if;

  -- A step that came with a newer version than the functions tell must run again: an older file, which
  -- records no steps, was applied since. So must all steps if the functions were dropped.
  if to_regclass('foreword.schema_steps') is not null then
    delete from foreword.schema_steps s
      where s.version > coalesce(v_version, 0)
        or not exists (select from pg_class c where c.oid = s.on_table);
  end if;
end $$;

-- Roles, auth.uid() and the schemas: Supabase has the first two, plain Postgres gets them here.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin noinherit', v_role);
      exception
        -- Another database's migration created it.
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then
          raise exception 'the role % is missing, and % may not create roles: nothing was changed', v_role, current_user
            using errcode = 'insufficient_privilege', hint = format(
              'As a superuser, run: alter role %1$I createrole; '
              || 'and once the schema is applied: alter role %1$I nocreaterole', current_user);
      end;
    end if;
  end loop;
  if not (select rolbypassrls from pg_roles where rolname = 'service_role') then
    begin
      alter role service_role bypassrls;
    exception when insufficient_privilege then null; -- the owner bypasses row level security all the same
    end;
  end if;
  -- The functions step down to the user whose rows they read, so their caller must be able to become one.
  begin
    execute format('grant authenticated to %I', current_user);
  exception when insufficient_privilege then
    if not pg_has_role(current_user, 'authenticated', 'member') then
      raise warning 'as a superuser, run: grant authenticated to %', quote_ident(current_user);
    end if;
  end;
end $$;

do $$
begin
  if (to_regprocedure('auth.uid()') is null or to_regnamespace('foreword') is null)
    and not has_database_privilege(current_database(), 'create')
  then
    raise exception 'the schema foreword or auth is missing, and % may not create schemas: nothing was changed', current_user
      using errcode = 'insufficient_privilege', hint = format(
        'As the owner of the database, run: grant create on database %I to %I', current_database(),
        current_user);
  end if;
  if to_regprocedure('auth.uid()') is null then
    create schema if not exists auth;
    create function auth.uid() returns uuid language sql stable set search_path = '' as $f$
      select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
    $f$;
    grant usage on schema auth to anon, authenticated, service_role;
  end if;
  -- No API exposes this schema: it holds the record of steps, and the parts of functions.
  if to_regnamespace('foreword') is null then
    create schema foreword;
  end if;
end $$;

grant usage on schema public to anon, authenticated, service_role;
grant usage on schema foreword to authenticated, service_role;

-- Tables. --------------------------------------------------------------------------------------------------

-- The images and PDFs of messages: each once for its user, whatever the number of messages that hold it.
create table if not exists public.attachments (
  id uuid primary key, -- made of its user, media type and digest
  user_id uuid,
  digest bytea not null, -- SHA-256 of the bytes
  text_digest bytea not null, -- SHA-256 of the bytes in base64, which digests of messages count
  media_type text not null,
  size_bytes bigint not null,
  name text, -- of the file that came first
  object_path text, -- in a bucket of Supabase Storage; null if the bytes are in attachment_pieces
  is_used boolean not null default false, -- whether a message has held it
  stored_at timestamptz, -- null until all bytes are stored
  created_at timestamptz not null default now()
);
create table if not exists public.attachment_pieces (
  attachment_id uuid not null references public.attachments (id) on delete cascade,
  number integer not null,
  data bytea not null, -- 262,143 bytes, but for the last piece
  primary key (attachment_id, number)
);
-- The attachments that messages hold, as their metadata says. An attachment goes with the last message of its
-- user that holds it.
create table if not exists public.message_attachments (
  message_id uuid not null,
  attachment_id uuid not null,
  user_id uuid, -- the message's
  primary key (message_id, attachment_id)
);
-- Objects of attachments that are gone. Servers delete them from the bucket.
create table if not exists public.deleted_objects (
  path text primary key,
  deleted_at timestamptz not null default now()
);

-- Summaries of the start of long paths, for models whose window does not hold a whole path. Each covers the
-- path up to and including one message.
create table if not exists public.context_summaries (
  message_id uuid primary key,
  conversation_id uuid not null,
  text text not null,
  model text, -- which wrote it
  created_at timestamptz not null default now()
);

create table if not exists public.conversations (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  user_id uuid,
  created_at timestamptz default now()
);

-- The cost of turns by the day they began on (UTC), for the budgets of API keys. Turns that are not over
-- count with their reservations.
create table if not exists public.daily_costs (
  subject text not null, -- key <name>
  day date not null,
  cost numeric not null default 0, -- of tokens and tools
  primary key (subject, day)
);

create table if not exists public.deleted_conversations (
  id uuid primary key,
  user_id uuid,
  deleted_at timestamptz not null default now()
);

-- The turns that their users have deleted, for 30 days: a begin that waited in a journal does not bring them
-- back.
create table if not exists public.deleted_turns (
  id uuid primary key,
  user_id uuid,
  deleted_at timestamptz not null default now()
);

-- The documents of users, for models to answer from. A document belongs to one knowledge base; its original
-- is the attachment of the same id, and goes with it.
create table if not exists public.knowledge_bases (
  id uuid primary key default gen_random_uuid(),
  user_id uuid,
  name text not null,
  taken_at timestamptz, -- when one of its documents was last taken to be read
  created_at timestamptz not null default now(),
  unique nulls not distinct (user_id, name)
);
create table if not exists public.documents (
  id uuid primary key, -- made of its user, knowledge base and digest
  user_id uuid,
  knowledge_base_id uuid not null references public.knowledge_bases (id) on delete cascade,
  name text not null,
  type text not null,
  size_bytes bigint not null,
  state text not null default 'waiting' check (state in ('waiting', 'ready', 'failed')),
  error_code text, -- why it failed
  pages_read integer not null default 0,
  pages integer, -- null if its type has none, or until its first page is read
  passage_count integer not null default 0,
  word_count integer not null default 0, -- of all passages
  -- The reading is left to the server that has the lease until that time. `attempts` counts leases.
  lease_id uuid,
  lease_until timestamptz,
  attempts integer not null default 0,
  created_at timestamptz not null default now()
);
-- The pieces that a document is searched and quoted by: joined, they are its text. Servers split texts into
-- words, as for messages. Only short columns stay in the row, so that a search reads few pages.
create table if not exists public.passages (
  document_id uuid not null references public.documents (id) on delete cascade,
  ordinal integer not null,
  user_id uuid, -- of the document
  knowledge_base_id uuid not null,
  page integer,
  heading text,
  text text not null,
  words tsvector not null, -- each after the first eight digits of its knowledge base's id
  primary key (document_id, ordinal)
) with (toast_tuple_target = 128);

create table if not exists public.messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  role text not null check (role in ('user', 'assistant', 'system')),
  content text,
  metadata jsonb default '{}',
  created_at timestamptz not null default now()
);

-- The steps that were run, for each table they change: the tables may have other names, or be created again.
create table if not exists foreword.schema_steps (
  step integer not null,
  on_table regclass not null,
  version integer not null, -- of the schema that the step came with
  applied_at timestamptz not null default now(),
  primary key (step, on_table)
);

-- The items of turns: events beside the text, such as tool calls and their results. Reasoning is kept until
-- its turn ends, the others as long as the turn. At most 1 MiB a turn (foreword.save_items).
create table if not exists public.turn_events (
  turn_id uuid not null,
  position integer not null, -- bytes of the plain-text body before it
  ordinal integer not null, -- units beside the text there, up to its end
  type text not null,
  data jsonb not null,
  bytes integer generated always as (octet_length(data::text)) stored,
  primary key (turn_id, position, ordinal)
);

-- Turns that wait for their user, or did: until the turn ends or waits again.
create table if not exists public.turn_waits (
  turn_id uuid primary key,
  state jsonb not null, -- from which a server goes on
  expires_at timestamptz not null, -- infinity once the turn has been claimed
  subject text, -- whose limits it counts in
  claim uuid -- the call that claimed it, so that a repeated one gets the same result
);

create table if not exists public.turns (
  id uuid primary key,
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  user_id uuid,
  parent_id uuid references public.messages (id) on delete set null, -- the message it answers
  message_id uuid references public.messages (id) on delete set null, -- its reply
  status text not null default 'running' check (status in ('running', 'complete', 'stopped', 'failed',
    'interrupted')),
  plan text, -- as it was sent
  answer text,
  model text,
  usage jsonb,
  finish_reason text,
  error_code text,
  duration_ms integer,
  first_text_ms integer,
  idempotency_key text,
  request_digest bytea,
  stop_requested boolean not null default false,
  owner uuid, -- the process that runs it
  heartbeat_at timestamptz not null default now(),
  started_at timestamptz not null default now(),
  ended_at timestamptz
);

create table if not exists public.turn_pieces (
  turn_id uuid not null,
  position integer not null, -- bytes of the plain-text body before it
  text text not null,
  primary key (turn_id, position)
);

-- The usage of turns, by the day they began on (UTC). Deleting a conversation takes nothing off it.
create table if not exists public.daily_usage (
  user_id uuid,
  day date not null,
  model text not null,
  turns integer not null default 0,
  estimated_turns integer not null default 0, -- of these: turns whose model reported no usage
  input_tokens bigint not null default 0, -- includes cached tokens
  output_tokens bigint not null default 0, -- includes reasoning tokens
  reasoning_tokens bigint not null default 0,
  cached_input_tokens bigint not null default 0
);

-- Requests of the one-minute window that began with the first. Unlogged: a crash starts all windows again.
create unlogged table if not exists public.request_counts (
  subject text primary key, -- a user or an address
  started_at timestamptz not null,
  count integer not null
);

-- The words of messages and titles. Servers split texts into words, and the database stores and matches them:
-- it never parses a text itself, because some texts keep its parser busy for a minute. `words` is null until
-- a server has read the text, and again when the text was changed.
create table if not exists public.message_words (
  id uuid primary key, -- the message's
  conversation_id uuid not null,
  words tsvector,
  revision integer not null default 0, -- of the text
  attempts integer not null default 0, -- to read it
  -- A text that a server has just taken is left to that server.
  not_before timestamptz not null default '-infinity'
);
create table if not exists public.title_words (
  id uuid primary key, -- the conversation's
  conversation_id uuid not null, -- the same
  words tsvector,
  revision integer not null default 0,
  attempts integer not null default 0,
  not_before timestamptz not null default '-infinity'
);
-- Rows from before words were stored are entered by id, some at a time, when servers ask for texts.
create table if not exists public.word_backlog (
  kind text primary key,
  last_id uuid not null default '00000000-0000-0000-0000-000000000000'
);

-- Changes of tables. Each step runs once, in order, and is recorded; it runs again if a column it adds is
-- missing. Databases from before steps were recorded have run some of them: each step changes, and locks,
-- nothing that is as it should be.
do $$
declare
  v_step record;
begin
  for v_step in
    select s.*, to_regclass(s.on_table) as oid, not exists (
        select from foreword.schema_steps d where d.step = s.step
          and d.on_table = to_regclass(s.on_table)) as is_new
    from (values
      (1, 1, 'public.messages', array['user_id', 'parent_id', 'digest', 'status']::text[], $step$
alter table public.messages
  add column if not exists user_id uuid,
  add column if not exists parent_id uuid,
  add column if not exists digest bytea, -- SHA-256 of the path that ends here; null: not yet part of the tree
  -- Of our replies.
  add column if not exists status text check (status in ('complete', 'stopped', 'failed', 'interrupted'));
$step$),
      (2, 1, 'public.conversations', array['metadata', 'leaf_id']::text[], $step$
alter table public.conversations
  add column if not exists metadata jsonb not null default '{}',
  add column if not exists leaf_id uuid; -- the last message of the path that is shown
$step$),
      (3, 1, 'public.conversations', array[]::text[], $step$
-- Rows of the old service get the time of their last message. Without the index that takes quadratic time.
do $do$
begin
  if to_regclass('public.messages_order_idx') is null then
    create index messages_order_idx on public.messages (conversation_id, created_at);
  end if;
  if not exists (select from pg_attribute
    where attrelid = 'public.conversations'::regclass and attname = 'updated_at' and not attisdropped
      and attnotnull
  ) then
    alter table public.conversations add column if not exists updated_at timestamptz;
    update public.conversations c
      set updated_at = coalesce((select max(m.created_at) from public.messages m
        where m.conversation_id = c.id), c.created_at, now())
      where c.updated_at is null;
    alter table public.conversations alter column updated_at set default now(),
      alter column updated_at set not null;
  end if;
end $do$;
$step$),
      (4, 2, 'public.turns', array[]::text[], $step$
drop index if exists public.turns_key_idx;
$step$),
      (5, 4, 'public.conversations', array[]::text[], $step$
drop index if exists public.conversations_user_idx;
$step$),
      (6, 4, 'public.conversations', array['archived_at']::text[], $step$
alter table public.conversations add column if not exists archived_at timestamptz;
$step$),
      (7, 5, 'public.turns', array['estimate', 'subject']::text[], $step$
alter table public.turns
  -- {input_tokens, output_tokens}: while the turn runs, what is reserved for it, since version 9 with
  -- {input_price, output_price} if known; once it is over, an estimate of the counts that its model did not
  -- report.
  add column if not exists estimate jsonb,
  add column if not exists subject text; -- while it runs: whose limits it counts in
$step$),
      (8, 6, 'public.conversations', array[]::text[], $step$
-- It made the planner look for one user's newest conversations among everyone's.
drop index if exists public.conversations_age_idx;
$step$),
      (9, 7, 'public.conversations', array['chat_id']::text[], $step$
-- The id of the conversation's AI SDK chat, if it could not take the id that is derived from that.
alter table public.conversations add column if not exists chat_id text;
$step$),
      (10, 7, 'public.messages', array[]::text[], $step$
-- These indexes made the database parse texts.
drop index if exists public.messages_search_idx, public.messages_words_idx;
$step$),
      (11, 7, 'public.conversations', array[]::text[], $step$
drop index if exists public.conversations_search_idx;
$step$),
      (12, 8, 'public.turns', array[]::text[], $step$
-- Turns may wait. The rows fulfil the narrower check that is replaced: to validate them would read them all.
do $do$
declare
  v_check record;
begin
  for v_check in
    select conname from pg_constraint where conrelid = 'public.turns'::regclass and contype = 'c'
      and pg_get_constraintdef(oid) ~ '\mstatus\M' and pg_get_constraintdef(oid) !~ '''waiting'''
  loop
    execute format('alter table public.turns drop constraint %I', v_check.conname);
    execute format('alter table public.turns add constraint %I check (status in (''running'', ''waiting'', '
      || '''complete'', ''stopped'', ''failed'', ''interrupted'')) not valid', v_check.conname);
  end loop;
end $do$;
$step$),
      (13, 8, 'public.daily_usage', array['tool_calls', 'tool_cost']::text[], $step$
alter table public.daily_usage
  add column if not exists tool_calls bigint not null default 0, -- of tools that the server ran
  add column if not exists tool_cost numeric not null default 0;
$step$),
      (14, 9, 'public.messages', array['path_bytes']::text[], $step$
alter table public.messages
  add column if not exists path_bytes bigint; -- of its path before it, as foreword.message_bytes counts
$step$),
      (15, 9, 'public.turns', array['attempts', 'context', 'cost', 'key_name']::text[], $step$
alter table public.turns
  add column if not exists attempts jsonb, -- models that failed before the one that replied
  add column if not exists context jsonb, -- how much of the path its model was sent, if not all
  add column if not exists cost numeric, -- of its tokens, in the currency of the prices; null if unknown
  add column if not exists key_name text; -- the API key whose budget it counts in; null if it has none
$step$),
      (16, 9, 'public.daily_usage', array['cost', 'priced_tokens']::text[], $step$
alter table public.daily_usage
  add column if not exists cost numeric not null default 0, -- of the tokens whose price was known
  add column if not exists priced_tokens bigint not null default 0; -- these, input and output
$step$),
      (17, 9, 'public.conversations', array['titled_by']::text[], $step$
alter table public.conversations
  add column if not exists titled_by text; -- person or model; null for a title made of the first question
$step$),
      (18, 10, 'public.turns', array['request']::text[], $step$
alter table public.turns
  add column if not exists request jsonb; -- the parts of the request that its wire repeats
$step$),
      (19, 12, 'public.documents', array['embedding_model', 'embedded_count', 'embedded_at', 'embedding_lease_id', 'embedding_lease_until']::text[], $step$
alter table public.documents
  add column if not exists embedding_model text, -- that made the vectors of its passages, with their width
  add column if not exists embedded_count integer not null default 0, -- how many passages, from the first on
  add column if not exists embedded_at timestamptz, -- when the last of them came
  add column if not exists embedding_lease_id uuid,
  add column if not exists embedding_lease_until timestamptz;
$step$),
      (20, 12, 'public.knowledge_bases', array['embedded_at']::text[], $step$
alter table public.knowledge_bases
  add column if not exists embedded_at timestamptz; -- when passages of it were last taken to be embedded
$step$),
      (21, 12, 'public.message_words', array[]::text[], $step$
-- New words are added to the index many at a time.
do $do$
declare
  v_name text;
begin
  foreach v_name in array array['public.title_words_idx', 'public.message_words_idx'] loop
    if exists (select from pg_class c where c.oid = to_regclass(v_name)
      and not coalesce(c.reloptions @> array['gin_pending_list_limit=64'], false))
    then
      execute format('alter index %s set (fastupdate = on, gin_pending_list_limit = 64)', v_name);
    end if;
  end loop;
end $do$;
$step$)
    ) as s (step, version, on_table, columns, statements)
    order by s.step
  loop
    if exists (
      select from unnest(v_step.columns) as name
      where not exists (select from pg_attribute a where a.attrelid = v_step.oid and a.attname = name
        and not a.attisdropped)
    ) or (v_step.is_new and v_step.columns = '{}') then
      execute v_step.statements;
    end if;
    if v_step.is_new then
      insert into foreword.schema_steps (step, on_table, version)
        values (v_step.step, v_step.oid, v_step.version);
    end if;
  end loop;
end $$;

-- The old service may write until it is replaced, so this runs each time: its messages get their
-- conversation's owner.
update public.messages m set user_id = c.user_id
  from public.conversations c
  where c.id = m.conversation_id and m.user_id is null and c.user_id is not null;

-- Keeps a tombstone of each deleted conversation for 30 days, so that a late write never brings it back.
create or replace function public.chat_bury_conversations() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.deleted_conversations (id, user_id) select id, user_id from gone
    on conflict (id) do update set deleted_at = excluded.deleted_at, user_id = excluded.user_id;
  delete from public.deleted_conversations where deleted_at < now() - interval '30 days';
  return null;
end $$;

-- Counts the turns that are deleted while they run or wait. They have no end that would be counted, so the
-- reserved estimate counts as their usage.
create or replace function public.chat_count_deleted_turns() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.daily_usage as d (user_id, day, model, turns, estimated_turns, input_tokens,
    output_tokens, cost, priced_tokens)
    select user_id, (started_at at time zone 'UTC')::date, coalesce(model, ''), count(*), count(*),
        sum(coalesce((estimate ->> 'input_tokens')::bigint, 0)),
          sum(coalesce((estimate ->> 'output_tokens')::bigint, 0)),
        sum((coalesce((estimate ->> 'input_tokens')::numeric, 0)
            * coalesce((estimate ->> 'input_price')::numeric, 0)
          + coalesce((estimate ->> 'output_tokens')::numeric, 0)
            * coalesce((estimate ->> 'output_price')::numeric, 0)) * 0.000001),
        sum(case when estimate ->> 'input_price' is null then 0
          else coalesce((estimate ->> 'input_tokens')::bigint, 0)
            + coalesce((estimate ->> 'output_tokens')::bigint, 0) end)
      from gone where status in ('running', 'waiting') group by 1, 2, 3
    on conflict (user_id, day, model) do update set
      turns = d.turns + excluded.turns, estimated_turns = d.estimated_turns + excluded.estimated_turns,
      input_tokens = d.input_tokens + excluded.input_tokens,
        output_tokens = d.output_tokens + excluded.output_tokens,
      cost = d.cost + excluded.cost, priced_tokens = d.priced_tokens + excluded.priced_tokens;
  return null;
end $$;

-- Counts the bytes of the path before a message that is added to the tree, or moved in it.
create or replace function public.chat_count_path() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_relid = 'public.messages'::regclass then -- not a table that had this name before
    new.path_bytes := foreword.path_bytes(new.parent_id);
  end if;
  return new;
end $$;

-- Remembers the object of a deleted attachment until a server has deleted it, too.
create or replace function public.chat_delete_object() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.deleted_objects (path) values (old.object_path) on conflict (path) do nothing;
  return null;
end $$;

-- Records the attachments that a message holds: those that its metadata lists, at most 100. Users can write
-- anything there: of another user's attachment it records nothing.
create or replace function public.chat_mark_attachments() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_ids uuid[];
begin
  if tg_relid <> 'public.messages'::regclass then -- a table that had this name before
    return null;
  end if;
  v_ids := array(
    select distinct (item ->> 'id')::uuid
      from (
        select value as item from jsonb_array_elements(
          case when jsonb_typeof(new.metadata -> 'attachments') = 'array' then new.metadata -> 'attachments'
            else '[]' end) limit 100
      ) items
      where item ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
  -- A transaction that deletes the attachment finishes first, or finds the rows below.
  perform 1 from public.attachments a where a.id = any (v_ids) order by a.id for key share;
  if tg_op = 'UPDATE' then
    delete from public.message_attachments m where m.message_id = new.id and not m.attachment_id = any (v_ids);
  end if;
  insert into public.message_attachments as m (message_id, attachment_id, user_id)
    select new.id, v.id, new.user_id from unnest(v_ids) as v (id)
      where not exists (select from public.attachments a
        where a.id = v.id and a.user_id is distinct from new.user_id)
    on conflict (message_id, attachment_id) do update set user_id = excluded.user_id
      where m.user_id is distinct from excluded.user_id;
  update public.attachments a set is_used = true
    where a.id = any (v_ids) and a.user_id is not distinct from new.user_id and not a.is_used;
  return null;
end $$;

-- Marks the text of a new or changed message as unread, ahead of the backlog.
create or replace function public.chat_mark_message() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_relid = 'public.messages'::regclass then -- not a table that had this name before
    if tg_op = 'INSERT' then
      -- The statement that stored it may have stored its words, too.
      insert into public.message_words (id, conversation_id) values (new.id, new.conversation_id)
        on conflict (id) do nothing;
    else
      insert into public.message_words as w (id, conversation_id) values (new.id, new.conversation_id)
        on conflict (id) do update set conversation_id = excluded.conversation_id, words = null,
          revision = w.revision + 1, attempts = 0,
          not_before = excluded.not_before;
    end if;
  end if;
  return null;
end $$;

-- Marks a new or changed title as unread, ahead of the backlog.
create or replace function public.chat_mark_title() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_relid = 'public.conversations'::regclass then
    if tg_op = 'INSERT' then
      -- The statement that stored it may have stored its words, too.
      insert into public.title_words (id, conversation_id) values (new.id, new.id) on conflict (id) do nothing;
    else
      insert into public.title_words as w (id, conversation_id) values (new.id, new.id)
        on conflict (id) do update set words = null, revision = w.revision + 1, attempts = 0,
          not_before = excluded.not_before;
    end if;
  end if;
  return null;
end $$;

-- Deletes an attachment with the last message of its user that holds it, unless it is a document's original.
create or replace function public.chat_release_attachment() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  -- One at a time: two that each delete one of the last two messages would both find the other's.
  perform 1 from public.attachments a
    where a.id = old.attachment_id and a.user_id is not distinct from old.user_id for update;
  if found then
    delete from public.attachments a
      where a.id = old.attachment_id and not exists (
        select from public.message_attachments m
          where m.attachment_id = a.id and m.user_id is not distinct from a.user_id)
        and not exists (select from public.documents d where d.id = a.id);
  end if;
  return null;
end $$;

-- Deletes the original of a deleted document.
create or replace function public.chat_release_document() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  delete from public.attachments a where a.id = old.id and a.user_id is not distinct from old.user_id;
  return null;
end $$;

-- Indexes and triggers are created only if they are missing: each of these statements locks its table even if
-- it finds nothing to do, and applying this file again must hold up no query.
do $$
declare
  v_statement text;
  v_name text;
begin
  foreach v_statement in array array[
    $sql$create index attachments_owner_idx on public.attachments (user_id)$sql$,
    $sql$create index attachments_unused_idx on public.attachments (created_at) where not is_used$sql$,
    $sql$create index message_attachments_attachment_idx on public.message_attachments (attachment_id)$sql$,
    $sql$create index conversations_newest_idx on public.conversations (user_id, updated_at desc, id desc)$sql$,
    $sql$create index conversations_archived_idx on public.conversations (user_id, updated_at desc, id desc)
      where archived_at is not null$sql$,
    -- In another form than the one lists are ordered by, so that it serves chat_delete_expired alone.
    $sql$create index conversations_expiry_idx on public.conversations ((updated_at at time zone 'UTC'))$sql$,
    $sql$create unique index conversations_chat_idx on public.conversations (chat_id, user_id) nulls not distinct
      where chat_id is not null$sql$,
    $sql$create index deleted_conversations_age_idx on public.deleted_conversations (deleted_at)$sql$,
    $sql$create index documents_base_idx on public.documents (knowledge_base_id, created_at desc, id desc)$sql$,
    $sql$create index documents_waiting_idx on public.documents (created_at) where state = 'waiting'$sql$,
    $sql$create index passages_words_idx on public.passages using gin (words) with (fastupdate = off)$sql$,
    $sql$create index documents_embedding_idx on public.documents (embedding_model, (passage_count - embedded_count))
      where state = 'ready'$sql$,
    $sql$create index documents_unembedded_idx on public.documents (knowledge_base_id, created_at)
      where state = 'ready' and embedding_model is null$sql$,
    $sql$create index messages_order_idx on public.messages (conversation_id, created_at)$sql$,
    $sql$create unique index messages_id_idx on public.messages (conversation_id, id)$sql$,
    $sql$create unique index messages_digest_idx on public.messages (conversation_id, digest)$sql$,
    $sql$create index messages_parent_idx on public.messages (conversation_id, parent_id)$sql$,
    $sql$create index messages_client_idx on public.messages (conversation_id, (metadata ->> 'client_id'))
      where metadata ->> 'client_id' is not null$sql$,
    $sql$create index messages_user_idx on public.messages (user_id, digest)$sql$,
    $sql$create index context_summaries_conversation_idx on public.context_summaries (conversation_id)$sql$,
    $sql$create index turns_conversation_idx on public.turns (conversation_id, started_at)$sql$,
    $sql$create index turns_user_idx on public.turns (user_id, started_at)$sql$,
    $sql$create index turns_parent_idx on public.turns (parent_id)$sql$,
    $sql$create index turns_message_idx on public.turns (message_id)$sql$,
    $sql$create index turns_running_idx on public.turns (heartbeat_at) where status = 'running'$sql$,
    $sql$create index turns_subject_idx on public.turns (subject) where status = 'running' and subject is not null$sql$,
    $sql$create unique index turns_idempotency_idx on public.turns (idempotency_key, user_id) nulls not distinct
      where idempotency_key is not null$sql$,
    $sql$create index deleted_turns_age_idx on public.deleted_turns (deleted_at)$sql$,
    $sql$create index turn_waits_expiry_idx on public.turn_waits (expires_at)$sql$,
    $sql$create index turn_waits_subject_idx on public.turn_waits (subject) where subject is not null$sql$,
    $sql$create unique index daily_usage_idx on public.daily_usage (user_id, day, model) nulls not distinct$sql$,
    $sql$create index request_counts_age_idx on public.request_counts (started_at)$sql$,
    -- Words, owner and conversation are found through one index, so that a search costs as much as its user
    -- has written, and some of the user's conversations can be searched without the others. Every search reads
    -- the whole list of entries that are not in the index proper yet, so the list is kept to about 64 kB, the
    -- least that Postgres allows: 4 MB by default.
    $sql$create index message_words_idx on public.message_words using gin (words)
      with (fastupdate = on, gin_pending_list_limit = 64) where words is not null$sql$,
    $sql$create index title_words_idx on public.title_words using gin (words)
      with (fastupdate = on, gin_pending_list_limit = 64) where words is not null$sql$,
    $sql$create index message_words_due_idx on public.message_words (not_before) where words is null$sql$,
    $sql$create index title_words_due_idx on public.title_words (not_before) where words is null$sql$,
    $sql$create trigger message_attachments_release after delete on public.message_attachments
      for each row execute function public.chat_release_attachment()$sql$,
    $sql$create trigger attachments_delete_object after delete on public.attachments
      for each row when (old.object_path is not null) execute function public.chat_delete_object()$sql$,
    $sql$create trigger conversations_bury after delete on public.conversations
      referencing old table as gone for each statement execute function public.chat_bury_conversations()$sql$,
    $sql$create trigger conversations_mark_new after insert on public.conversations
      for each row execute function public.chat_mark_title()$sql$,
    $sql$create trigger conversations_mark_changed after update on public.conversations
      for each row when (old.title is distinct from new.title or old.user_id is distinct from new.user_id)
      execute function public.chat_mark_title()$sql$,
    $sql$create trigger documents_release after delete on public.documents
      for each row execute function public.chat_release_document()$sql$,
    $sql$create trigger messages_count_new before insert on public.messages
      for each row when (new.digest is not null)
      execute function public.chat_count_path()$sql$,
    $sql$create trigger messages_count_moved before update of parent_id, digest on public.messages
      for each row when (new.digest is not null
        and (old.digest is null or new.parent_id is distinct from old.parent_id))
      execute function public.chat_count_path()$sql$,
    $sql$create trigger messages_mark_new after insert on public.messages
      for each row execute function public.chat_mark_message()$sql$,
    $sql$create trigger messages_mark_changed after update on public.messages
      for each row when (old.content is distinct from new.content or old.user_id is distinct from new.user_id
        or old.conversation_id is distinct from new.conversation_id)
      execute function public.chat_mark_message()$sql$,
    $sql$create trigger messages_attach_new after insert on public.messages
      for each row when (new.metadata ? 'attachments')
      execute function public.chat_mark_attachments()$sql$,
    $sql$create trigger messages_attach_changed after update on public.messages
      for each row when ((old.metadata ? 'attachments' or new.metadata ? 'attachments')
        and (old.metadata -> 'attachments' is distinct from new.metadata -> 'attachments'
          or old.user_id is distinct from new.user_id))
      execute function public.chat_mark_attachments()$sql$,
    $sql$create trigger turns_count_deleted after delete on public.turns
      referencing old table as gone for each statement execute function public.chat_count_deleted_turns()$sql$
  ] loop
    v_name := substring(v_statement from '(?:index|trigger) (\w+)');
    if to_regclass('public.' || v_name) is null and not exists (
      select from pg_trigger t where t.tgname = v_name
        and t.tgrelid = to_regclass(substring(v_statement from '\son (\S+)'))
    ) then
      execute v_statement;
    end if;
  end loop;
end $$;

-- Foreign keys follow the names of the tables: each is created again if it refers to another table. A
-- message's parent is a message of the same conversation. (So is a leaf, by policy: a second foreign key
-- between the two tables would make PostgREST refuse queries that embed one in the other.)
do $$
begin
  if not exists (select from pg_constraint where conrelid = 'public.turn_pieces'::regclass
    and confrelid = 'public.turns'::regclass) then
    alter table public.turn_pieces drop constraint if exists turn_pieces_turn_fk;
    delete from public.turn_pieces p where not exists (select from public.turns t where t.id = p.turn_id);
    alter table public.turn_pieces add constraint turn_pieces_turn_fk
      foreign key (turn_id) references public.turns (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.turn_events'::regclass
    and confrelid = 'public.turns'::regclass) then
    alter table public.turn_events drop constraint if exists turn_events_turn_fk;
    delete from public.turn_events e where not exists (select from public.turns t where t.id = e.turn_id);
    alter table public.turn_events add constraint turn_events_turn_fk
      foreign key (turn_id) references public.turns (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.turn_waits'::regclass
    and confrelid = 'public.turns'::regclass) then
    alter table public.turn_waits drop constraint if exists turn_waits_turn_fk;
    delete from public.turn_waits e where not exists (select from public.turns t where t.id = e.turn_id);
    alter table public.turn_waits add constraint turn_waits_turn_fk
      foreign key (turn_id) references public.turns (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.context_summaries'::regclass
    and confrelid = 'public.messages'::regclass) then
    alter table public.context_summaries drop constraint if exists context_summaries_message_fk;
    delete from public.context_summaries s
      where not exists (select from public.messages m where m.id = s.message_id);
    alter table public.context_summaries add constraint context_summaries_message_fk
      foreign key (message_id) references public.messages (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.message_words'::regclass
    and confrelid = 'public.messages'::regclass) then
    alter table public.message_words drop constraint if exists message_words_fk;
    delete from public.message_words;
    alter table public.message_words add constraint message_words_fk
      foreign key (id) references public.messages (id) on delete cascade;
    insert into public.word_backlog (kind) values ('message')
      on conflict (kind) do update set last_id = excluded.last_id;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.title_words'::regclass
    and confrelid = 'public.conversations'::regclass) then
    alter table public.title_words drop constraint if exists title_words_fk;
    delete from public.title_words;
    alter table public.title_words add constraint title_words_fk
      foreign key (id) references public.conversations (id) on delete cascade;
    insert into public.word_backlog (kind) values ('title')
      on conflict (kind) do update set last_id = excluded.last_id;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.message_attachments'::regclass
    and confrelid = 'public.messages'::regclass) then
    alter table public.message_attachments drop constraint if exists message_attachments_message_fk;
    delete from public.message_attachments a
      where not exists (select from public.messages m where m.id = a.message_id);
    alter table public.message_attachments add constraint message_attachments_message_fk
      foreign key (message_id) references public.messages (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conname = 'messages_parent_fk'
    and conrelid = 'public.messages'::regclass) then
    alter table public.messages add constraint messages_parent_fk
      foreign key (conversation_id, parent_id)
        references public.messages (conversation_id, id) on delete set null (parent_id);
  end if;
end $$;

-- The vectors of passages, if this database has the extension `vector` (pgvector), or can create it. Apply
-- this file again once it was installed. Nothing else needs the extension.
do $$
declare
  v_schema text;
begin
  if not exists (select from pg_extension e where e.extname = 'vector') then
    begin
      -- Supabase keeps extensions in a schema of their own.
      execute format('create extension vector schema %I',
        case when to_regnamespace('extensions') is null then 'public' else 'extensions' end);
    exception when feature_not_supported or undefined_file or insufficient_privilege then null;
    end;
  end if;
  select n.nspname into v_schema
    from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector';
  if v_schema is null or exists (
    select from pg_attribute a where a.attrelid = to_regclass('public.passage_vectors') and a.attname = 'vector'
      and not a.attisdropped
  ) then
    return;
  end if;
  if not has_schema_privilege('service_role', v_schema, 'usage') then
    begin
      execute format('grant usage on schema %I to service_role', v_schema);
    exception when insufficient_privilege then null;
    end;
  end if;
  drop table if exists public.passage_vectors; -- it lost its vectors with the extension
  execute format($table$
create table if not exists public.passage_vectors (
  document_id uuid not null,
  ordinal integer not null,
  user_id uuid, -- of the document
  knowledge_base_id uuid not null,
  model text not null, -- as documents.embedding_model
  vector %I.vector not null, -- of length 1, and of any width: it is compared with those of its model only
  primary key (document_id, ordinal),
  foreign key (document_id, ordinal) references public.passages (document_id, ordinal) on delete cascade
)$table$, v_schema);
  -- In the row, unless it is too long for a page: a search reads all of them.
  alter table public.passage_vectors alter column vector set storage main;
  -- There is no other index: a search computes all distances in one knowledge base. An approximate index
  -- finds the nearest passages of all users first, and often none of the one who asks.
  create index passage_vectors_base_idx on public.passage_vectors (knowledge_base_id, model);
  update public.documents set embedding_model = null, embedded_count = 0 where embedding_model is not null;
end $$;

-- Access. --------------------------------------------------------------------------------------------------

-- Users read and write their own conversations and messages, and only read their turns, pieces, items,
-- tombstones and usage. A policy is created again only if it is not as this file created it, which its
-- comment remembers.
do $$
declare
  v_statement text;
  v_name text;
  v_table text;
  v_seen text;
  v_owner name := (select pg_get_userbyid(p.proowner) from pg_proc p
    where p.oid = to_regprocedure('public.chat_describe_schema(jsonb)'));
begin
  foreach v_table in array array[
    'public.attachments',
    'public.attachment_pieces',
    'public.message_attachments',
    'public.deleted_objects',
    'public.context_summaries',
    'public.conversations',
    'public.daily_costs',
    'public.deleted_conversations',
    'public.deleted_turns',
    'public.knowledge_bases',
    'public.documents',
    'public.passages',
    'public.messages',
    'foreword.schema_steps',
    'public.turn_events',
    'public.turn_waits',
    'public.turns',
    'public.turn_pieces',
    'public.daily_usage',
    'public.request_counts',
    'public.message_words',
    'public.title_words',
    'public.word_backlog',
    'public.passage_vectors'
  ] loop
    continue when to_regclass(v_table) is null; -- it needs an extension
    -- Servers may connect as the owner of the functions, though another role applies this file.
    if v_owner <> current_user and v_table not in ('public.conversations', 'public.messages') and exists (
      select from pg_class c where c.oid = v_table::regclass and pg_get_userbyid(c.relowner) = current_user
    ) then
      execute format('alter table %s owner to %I', v_table::regclass, v_owner);
    end if;
    if not (select relrowsecurity from pg_class where oid = v_table::regclass) then
      execute format('alter table %s enable row level security', v_table::regclass);
    end if;
    execute format('revoke all on %s from public, anon, authenticated', v_table::regclass);
    execute format('grant all on %s to service_role', v_table::regclass);
  end loop;
  foreach v_statement in array array[
    $sql$create policy attachments_read_own on public.attachments for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy attachment_pieces_read_own on public.attachment_pieces for select to authenticated
      using (exists (select from public.attachments a where a.id = attachment_id and a.user_id = (select auth.uid())))$sql$,
    $sql$create policy message_attachments_read_own on public.message_attachments for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy deleted_objects_none on public.deleted_objects for all to authenticated using (false)
      with check (false)$sql$,
    $sql$create policy conversations_own on public.conversations for all to authenticated
      using (user_id = (select auth.uid()))
      with check (
        user_id = (select auth.uid())
        and (leaf_id is null or exists (select from public.messages m where m.id = leaf_id and m.conversation_id = public.conversations.id))
      )$sql$,
    $sql$create policy deleted_conversations_read_own on public.deleted_conversations for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy knowledge_bases_read_own on public.knowledge_bases for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy documents_read_own on public.documents for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy passages_read_own on public.passages for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy passage_vectors_read_own on public.passage_vectors for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy messages_read_own on public.messages for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy messages_add_own on public.messages for insert to authenticated
      with check (
        user_id = (select auth.uid())
        and exists (select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid()))
      )$sql$,
    $sql$create policy messages_edit_own on public.messages for update to authenticated
      using (user_id = (select auth.uid()))
      with check (
        user_id = (select auth.uid())
        and exists (select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid()))
      )$sql$,
    -- The old service's policies remain beside these, and must not let users write in another user's name.
    $sql$create policy messages_add_in_own_name on public.messages as restrictive for insert to authenticated
      with check (user_id is null or user_id = (select auth.uid()))$sql$,
    $sql$create policy messages_edit_in_own_name on public.messages as restrictive for update to authenticated
      using (user_id is null or user_id = (select auth.uid())) with check (user_id is null or user_id = (select auth.uid()))$sql$,
    $sql$create policy messages_delete_own on public.messages for delete to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy context_summaries_read_own on public.context_summaries for select to authenticated
      using (exists (select from public.messages m where m.id = message_id and m.user_id = (select auth.uid())))$sql$,
    -- Tables that only the service uses. Users could otherwise store any number of words, and false ones.
    $sql$create policy request_counts_none on public.request_counts for all to authenticated
      using (false) with check (false)$sql$,
    $sql$create policy turn_waits_none on public.turn_waits for all to authenticated using (false) with check (false)$sql$,
    $sql$create policy deleted_turns_none on public.deleted_turns for all to authenticated using (false)
      with check (false)$sql$,
    $sql$create policy daily_costs_none on public.daily_costs for all to authenticated using (false) with check (false)$sql$,
    $sql$create policy message_words_none on public.message_words for all to authenticated using (false) with check (false)$sql$,
    $sql$create policy title_words_none on public.title_words for all to authenticated using (false) with check (false)$sql$,
    $sql$create policy word_backlog_none on public.word_backlog for all to authenticated using (false) with check (false)$sql$,
    $sql$create policy schema_steps_none on foreword.schema_steps for all to authenticated using (false)
      with check (false)$sql$,
    $sql$create policy turns_read_own on public.turns for select to authenticated
      using (user_id = (select auth.uid()))$sql$,
    $sql$create policy turn_pieces_read_own on public.turn_pieces for select to authenticated
      using (exists (select from public.turns t where t.id = turn_id and t.user_id = (select auth.uid())))$sql$,
    $sql$create policy turn_events_read_own on public.turn_events for select to authenticated
      using (exists (select from public.turns t where t.id = turn_id and t.user_id = (select auth.uid())))$sql$,
    $sql$create policy daily_usage_read_own on public.daily_usage for select to authenticated
      using (user_id = (select auth.uid()))$sql$
  ] loop
    v_name := substring(v_statement from 'policy (\w+)');
    v_table := substring(v_statement from 'policy \w+ on (\S+)');
    continue when to_regclass(v_table) is null;
    for v_attempt in 1 .. 2 loop
      select md5(concat_ws(' ', v_statement, p.polcmd, p.polpermissive, p.polroles::text,
          pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)))
        into v_seen from pg_policy p where p.polrelid = v_table::regclass and p.polname = v_name;
      exit when v_attempt = 1 and v_seen = (
        select obj_description(p.oid, 'pg_policy') from pg_policy p where p.polrelid = v_table::regclass
          and p.polname = v_name);
      if v_attempt = 2 then
        execute format('comment on policy %I on %s is %L', v_name, v_table::regclass, v_seen);
      else
        execute format('drop policy if exists %I on %s', v_name, v_table::regclass);
        execute v_statement;
      end if;
    end loop;
  end loop;
  if to_regclass('public.passage_vectors') is not null then
    grant select on public.passage_vectors to authenticated;
  end if;
end $$;

grant select, insert, update, delete on public.conversations, public.messages to authenticated;
grant select on public.turns, public.turn_pieces, public.turn_events, public.deleted_conversations,
  public.daily_usage, public.attachments, public.attachment_pieces, public.message_attachments,
  public.context_summaries, public.knowledge_bases, public.documents, public.passages to authenticated;

-- Functions. Each takes one JSON argument, returns JSON, and is one transaction. ----------------------------

-- Returns the metadata of a reply whose client has brought results: its plan, its searches and its
-- sources stay.
-- @param p_earlier the metadata of the reply without them; users may have written anything there
-- @param p_metadata as in a path of chat_save_messages
create or replace function foreword.add_results(p_earlier jsonb, p_metadata jsonb) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  return coalesce((select jsonb_object_agg(e.key, e.value) from jsonb_each(foreword.to_object(p_earlier)) e
      where e.key in ('plan', 'searches', 'sources') and e.value <> 'null'), '{}') || p_metadata
    || jsonb_build_object('tools', foreword.merge_tools(p_earlier -> 'tools', p_metadata -> 'tools'));
end $$;

-- Adds rows of the old service to the message tree, in their order, below what the conversation already
-- holds.
-- @param argument as in chat_save_messages: addresses, step_bytes
-- @returns null once all rows are in the tree, else {unaddressed}
create or replace function foreword.adopt_old_rows(p_conversation_id uuid, p_owner uuid, argument jsonb)
  returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_addresses jsonb := coalesce(argument -> 'addresses', '{}');
  v_parent uuid;
  v_digest bytea;
  v_id uuid;
begin
  if argument ->> 'step_bytes' is null and exists (
    select from public.messages m where m.conversation_id = p_conversation_id and m.digest is null
      and not v_addresses ? m.id::text
  ) then
    return (
      select jsonb_build_object('unaddressed', jsonb_agg(
        jsonb_build_object('id', m.id, 'role', m.role, 'content', coalesce(m.content, ''))))
      from public.messages m where m.conversation_id = p_conversation_id and m.digest is null
    );
  end if;
  select m.id, m.digest into v_parent, v_digest
    from public.conversations c join public.messages m on m.id = c.leaf_id and m.conversation_id = c.id
    where c.id = p_conversation_id;
  v_digest := coalesce(v_digest, '');
  for v_id in
    select m.id from public.messages m where m.conversation_id = p_conversation_id and m.digest is null
      order by m.created_at, m.id
  loop
    exit when not v_addresses ? v_id::text;
    v_digest := sha256(v_digest || decode(v_addresses ->> v_id::text, 'hex'));
    if exists (select from public.messages where conversation_id = p_conversation_id
      and digest = v_digest) then
      -- The same text is stored already: it keeps a row of its own.
      v_digest := sha256(v_digest || uuid_send(v_id));
    end if;
    update public.messages set digest = v_digest, parent_id = v_parent, user_id = p_owner,
      metadata = foreword.to_object(metadata) || case when metadata ? 'images_count'
        then '{"images_unknown": true}' else '{}' end::jsonb
      where id = v_id;
    v_parent := v_id;
  end loop;
  if not exists (select from public.messages where conversation_id = p_conversation_id
    and digest is null) then
    return null;
  end if;
  -- The next rows go below these. One is sent whatever its size; text that no server wrote is cut.
  update public.conversations set leaf_id = v_parent where id = p_conversation_id and v_parent is not null;
  return (
    select jsonb_build_object('unaddressed', jsonb_agg(
      jsonb_build_object('id', m.id, 'role', m.role, 'content', coalesce(m.content, '')) order by m.place))
    from (
      select n.id, n.role,
        case when octet_length(n.content) > 4194304 then left(n.content, 1048576)
          else n.content end as content,
        row_number() over (order by n.created_at, n.id) as place,
        sum(least(octet_length(coalesce(n.content, '')), 4194304)) over (order by n.created_at, n.id) as bytes
      from (
        select * from public.messages o where o.conversation_id = p_conversation_id and o.digest is null
          order by o.created_at, o.id limit 500
      ) n
    ) m
    where m.place = 1 or m.bytes <= (argument ->> 'step_bytes')::bigint
  );
end $$;

-- Goes down the tree as far as the path is stored, then adds the rest as a new branch, each row a microsecond
-- after the one before.
-- @param p_parent_id, p_digest where the path begins; null and '' for the root
-- @param p_skip how many messages of the path to leave out
-- @param argument as in chat_save_messages
-- @returns {message_id, digest: of the last message, is_known: whether the whole path was stored already,
--   fork_id: the message that the last one looked for follows}
create or replace function foreword.append_path(
  p_conversation_id uuid, p_owner uuid, p_parent_id uuid, p_digest bytea, p_skip integer, argument jsonb
) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_continues boolean := coalesce(jsonb_typeof(argument -> 'continue') = 'object', false);
  v_last bigint := jsonb_array_length(argument -> 'path');
  v_parent uuid := p_parent_id;
  v_digest bytea := p_digest;
  v_is_known boolean := true;
  v_found uuid;
  v_fork uuid;
  v_held uuid;
  v_text text;
  v_item record;
  v_earlier public.messages;
  v_time timestamptz := foreword.next_time(p_conversation_id); -- of the next row
begin
  for v_item in
    select e.place, e.message, e.message ->> 'role' as role, coalesce(e.message ->> 'content', '') as content,
      coalesce(e.message -> 'metadata', '{}') as metadata,
      array(select jsonb_array_elements_text(e.message -> 'digests')) as digests
    from jsonb_array_elements(argument -> 'path') with ordinality as e (message, place) where e.place > p_skip
      order by e.place
  loop
    if v_is_known and v_item.message ->> 'after' is not null then
      -- A reply that its client had seen nothing of.
      v_held := coalesce(
        (public.chat_find_message(jsonb_build_object('conversation_id', p_conversation_id, 'id',
          v_item.message ->> 'after')) ->> 'id')::uuid,
        public.chat_hold_reply(jsonb_build_object(
          'conversation_id', p_conversation_id, 'turn_id', v_item.message ->> 'after', 'parent_id', v_parent,
            'created_at', v_time)));
      v_time := v_time + interval '1 microsecond';
      v_parent := coalesce((select m.id from public.messages m where m.id = v_held
        and m.parent_id = v_parent), v_parent);
      select m.digest into v_digest from public.messages m where m.id = v_parent;
      v_digest := coalesce(v_digest, '');
    end if;
    if v_is_known then
      v_found := null;
      if v_item.message ->> 'sent_id' is not null then
        -- A reply that its client names and has seen no further than it is stored.
        select m.id into v_found from public.messages m
          where m.id = (v_item.message ->> 'sent_id')::uuid and m.conversation_id = p_conversation_id
            and m.parent_id = v_parent
            and starts_with(m.content, v_item.content)
            and (v_item.message ->> 'tools_digest' is null
              or m.metadata ->> 'tools_digest' = v_item.message ->> 'tools_digest');
      end if;
      -- One look-up a digest, not a join: without statistics a join reads the whole conversation.
      foreach v_text in array v_item.digests loop
        exit when v_found is not null;
        select m.id into v_found from public.messages m
          where m.conversation_id = p_conversation_id
            and m.digest = sha256(v_digest || decode(v_text, 'hex'));
      end loop;
      v_found := coalesce(v_found,
        foreword.match_message(p_conversation_id, v_parent, v_item.message, v_item.place = v_last));
      if v_found is null and v_continues and v_parent is not null and v_item.place > p_skip + 1
        and v_item.message ->> 'client_id' is not null
      then
        v_found := foreword.match_below(p_conversation_id, v_parent, v_item.message);
      end if;
      if v_found is null and v_item.message ->> 'sent_id' is not null then
        if exists (select from public.turns t where t.id = (v_item.message ->> 'sent_id')::uuid
          and t.status in ('running', 'waiting'))
        then
          -- A reply in progress.
          v_found := public.chat_hold_reply(jsonb_build_object(
            'conversation_id', p_conversation_id, 'turn_id', v_item.message ->> 'sent_id', 'parent_id',
              v_parent,
            'content', v_item.content, 'metadata', v_item.metadata, 'digest', v_item.digests[1], 'created_at',
              v_time));
          v_time := v_time + interval '1 microsecond';
        end if;
      end if;
      if v_found is null and v_continues and v_item.role = 'user' then
        -- Sent before its client knew of the reply to its message before: it follows that reply.
        select m.id into v_found from public.messages r
          join lateral unnest(v_item.digests) as d (digest) on true
          join public.messages m on m.conversation_id = p_conversation_id
            and m.digest = sha256(r.digest || decode(d.digest, 'hex'))
          where r.conversation_id = p_conversation_id and r.parent_id = v_parent and r.role = 'assistant'
            limit 1;
        if v_found is null then
          v_held := foreword.find_unseen_reply(p_conversation_id, v_parent, v_time);
          if v_held is not null then
            select m.id, m.digest into v_parent, v_digest from public.messages m where m.id = v_held;
            v_time := v_time + interval '1 microsecond';
          end if;
        end if;
      end if;
      v_is_known := v_found is not null;
      v_fork := v_parent;
    end if;
    if v_is_known then
      if not coalesce((argument ->> 'late')::boolean, false) then
        -- A message whose content its user has deleted, and sends again.
        update public.messages m set content = v_item.content,
            metadata = (foreword.to_object(m.metadata) - array['is_edited', 'erased']) || v_item.metadata
          where m.id = v_found and m.metadata ? 'is_edited' and coalesce(m.content, '') = ''
            and v_item.content <> '';
      end if;
      select m.id, m.digest into v_parent, v_digest from public.messages m where m.id = v_found;
    else
      v_earlier := null;
      if jsonb_typeof(v_item.message -> 'earlier_digests') = 'array' then
        select * into v_earlier from public.messages m
          where m.id = foreword.find_earlier_reply(p_conversation_id, v_parent, v_item.message);
      end if;
      v_digest := sha256(v_digest || decode(v_item.digests[1], 'hex'));
      insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, status,
        digest, created_at)
        values (
          (v_item.message ->> 'id')::uuid, p_conversation_id, p_owner, v_parent, v_item.role, v_item.content,
          -- A reply whose turn still waits in another process's journal: its end finds the row by this.
          case when v_earlier.id is null then v_item.metadata
            else foreword.add_results(v_earlier.metadata, v_item.metadata) end
          || case when v_item.role = 'assistant' and v_item.message ->> 'sent_id' is not null
            then jsonb_build_object('reply_of', v_item.message ->> 'sent_id') else '{}' end,
          v_item.message ->> 'status', v_digest, v_time
        );
      v_parent := (v_item.message ->> 'id')::uuid;
      if v_earlier.id is not null then
        update public.messages set metadata = foreword.to_object(metadata)
          || jsonb_build_object('superseded_by', v_parent)
          where id = v_earlier.id and not metadata ? 'superseded_by';
      end if;
      v_time := v_time + interval '1 microsecond';
    end if;
  end loop;
  return jsonb_build_object(
    'message_id', v_parent, 'digest', encode(v_digest, 'hex'), 'is_known', v_is_known, 'fork_id', v_fork);
end $$;

-- Refuses servers of other schema versions, for chat_check_version and for chat_save_messages, whose caller
-- may be a user.
create or replace function foreword.check_version(argument jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if coalesce((argument ->> 'schema_version')::integer, 0) not between 9 and 12 then
    raise exception 'this schema has version 12 and serves servers from version 9 on, the server asks for %', argument ->> 'schema_version'
      using errcode = 'FW001';
  end if;
end $$;

-- Makes a waiting turn run in a process, and describes it. The description stays available to the call that
-- claimed the turn, until the turn ends or waits again.
-- @param argument {owner, claim}
-- @returns {claimed: as in chat_claim_waiting}
create or replace function foreword.claim_turn(p_turn_id uuid, argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
begin
  update public.turns set status = 'running', owner = (argument ->> 'owner')::uuid,
      heartbeat_at = clock_timestamp()
    where id = p_turn_id;
  update public.turn_waits set claim = (argument ->> 'claim')::uuid, expires_at = 'infinity'
    where turn_id = p_turn_id;
  return jsonb_build_object('claimed', (
    select jsonb_build_object('conversation_id', t.conversation_id, 'user_id', t.user_id,
        'parent_id', t.parent_id, 'model', t.model, 'started_at', t.started_at, 'state', w.state,
        'request', t.request,
        'pieces', (select coalesce(jsonb_agg(jsonb_build_object('position', p.position, 'text', p.text)
          order by p.position), '[]') from public.turn_pieces p where p.turn_id = t.id),
        'events', (select coalesce(jsonb_agg(jsonb_build_object('position', e.position, 'ordinal', e.ordinal,
          'type', e.type, 'data', e.data) order by e.position, e.ordinal), '[]')
          from public.turn_events e where e.turn_id = t.id))
      from public.turns t join public.turn_waits w on w.turn_id = t.id where t.id = p_turn_id));
end $$;

-- Completes the row that was created for a reply while its turn ran.
-- @param p_is_part whether the turn's end knows only a part of the reply: see foreword.continue_reply
-- @returns the id of the reply's message: another one, if a retry has ended in the same reply
create or replace function foreword.complete_held_reply(
  p_message_id uuid, p_content text, p_metadata jsonb, p_status text, p_digest bytea, p_is_part boolean
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_held public.messages;
  v_metadata jsonb := p_metadata;
  v_same uuid;
  v_is_answered boolean;
begin
  select * into v_held from public.messages m where m.id = p_message_id;
  v_is_answered := exists (select from public.messages b where b.conversation_id = v_held.conversation_id
    and b.parent_id = v_held.id);
  if v_held.metadata ? 'tools_digest' and p_status = 'complete' and not v_is_answered then
    select m.id into v_same from public.messages m where m.conversation_id = v_held.conversation_id
      and m.digest = p_digest and m.id <> v_held.id and m.status = 'complete';
  end if;
  if v_same is not null then
    -- A retry that went on with the earlier reply and ended in the same one.
    update public.messages set metadata = metadata || jsonb_build_object('superseded_by', v_same)
      where conversation_id = v_held.conversation_id and parent_id = v_held.parent_id
        and metadata ->> 'superseded_by' = v_held.id::text;
    update public.conversations set leaf_id = v_same
      where id = v_held.conversation_id and leaf_id = v_held.id;
    delete from public.messages where id = v_held.id;
    return v_same;
  end if;
  if v_held.metadata ? 'tools' and v_metadata ? 'tools' then
    v_metadata := v_metadata || jsonb_build_object('tools',
      foreword.merge_tools(v_held.metadata -> 'tools', v_metadata -> 'tools'));
  end if;
  update public.messages m set content = p_content, status = p_status,
      metadata = (foreword.to_object(m.metadata) - 'reply_of' - 'extended' - 'superseded_by') || v_metadata,
      -- It keeps its digest, if messages below it, and its client, refer to it by that.
      digest = case when v_held.metadata ? 'tools_digest' and not p_is_part and not v_is_answered
        and not exists (select from public.messages o where o.conversation_id = v_held.conversation_id
          and o.digest = p_digest)
        then p_digest else m.digest end
    where m.id = v_held.id;
  return v_held.id;
end $$;

-- Returns the whole reply of a turn that goes on with an earlier one, if its end knows only its own part,
-- since its process is gone.
-- @param p_content, p_metadata of this part
-- @returns {content, metadata}, or null for other turns
create or replace function foreword.continue_reply(
  p_turn_id uuid, p_conversation_id uuid, p_parent_id uuid, p_content text, p_metadata jsonb
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_row public.messages;
  v_text text;
  v_calls jsonb;
  v_length integer;
begin
  select m.* into v_row from public.messages m
    where m.conversation_id = p_conversation_id and m.parent_id = p_parent_id and m.role = 'assistant'
      and jsonb_typeof(m.metadata #> '{extended,chars}') = 'number'
      and jsonb_typeof(m.metadata #> '{extended,calls}') = 'number'
      and ((m.status is null and (m.id = p_turn_id or m.metadata ->> 'reply_of' = p_turn_id::text))
        or m.id = (select t.message_id from public.turns t where t.id = p_turn_id))
    order by m.created_at desc limit 1;
  if v_row.id is null then
    return null;
  end if;
  -- Users may have changed the numbers.
  v_text := left(v_row.content,
    greatest(least((v_row.metadata #>> '{extended,chars}')::numeric, length(v_row.content)), 0)::integer);
  select coalesce(jsonb_agg(t.tool order by t.place), '[]') into v_calls
    from jsonb_array_elements(case when jsonb_typeof(v_row.metadata -> 'tools') = 'array'
      then v_row.metadata -> 'tools' else '[]' end) with ordinality as t (tool, place)
    where t.place <= (v_row.metadata #>> '{extended,calls}')::numeric;
  -- In UTF-16 code units: a character past U+FFFF has two.
  v_length := length(v_text) + case current_setting('server_encoding')
      when 'UTF8' then length(regexp_replace(v_text, '[\u0001-\uFFFF]', '', 'g')) else 0 end
    + case when v_text = '' or coalesce(p_content, '') = '' then 0 else 2 end;
  return jsonb_build_object(
    'content', concat_ws(E'\n\n', nullif(v_text, ''), nullif(p_content, '')),
    'metadata', jsonb_strip_nulls(jsonb_build_object('plan', v_row.metadata -> 'plan'))
      || (coalesce(p_metadata, '{}') - 'tools_digest' - 'plan') || jsonb_build_object(
      'extended', v_row.metadata -> 'extended', 'tools', v_calls || coalesce((
        select jsonb_agg(t.tool || jsonb_build_object('at', (t.tool ->> 'at')::integer + v_length,
          'step', (t.tool ->> 'step')::integer + jsonb_array_length(v_calls)) order by t.place)
        from jsonb_array_elements(p_metadata -> 'tools') with ordinality as t (tool, place)), '[]'))
      || case when v_row.metadata ? 'tools_digest'
        then jsonb_build_object('tools_digest', v_row.metadata -> 'tools_digest') else '{}' end);
end $$;

-- Adds to the cost that counts in the budget of an API key.
-- @param p_cost may be negative, for a reservation that was not used up
create or replace function foreword.count_cost(p_key_name text, p_day date, p_cost numeric) returns void
language plpgsql set search_path = '' as $$
begin
  insert into public.daily_costs as c (subject, day, cost)
    values (format('key %s', p_key_name), p_day, coalesce(p_cost, 0))
    on conflict (subject, day) do update set cost = c.cost + excluded.cost;
end $$;

-- Counts a turn in its user's usage, or takes it off again.
-- @param p_sign 1, or -1 for an end that another one replaces
-- @param p_tokens {input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, tool_calls, tool_cost,
--   cost: of the tokens, absent or null if unknown, turns: 0 if they are no turn's}
-- @param p_is_estimate whether its model reported no usage
create or replace function foreword.count_usage(
  p_user_id uuid, p_day date, p_sign integer, p_model text, p_tokens jsonb, p_is_estimate boolean
) returns void
language plpgsql set search_path = '' as $$
begin
  insert into public.daily_usage as d
      (user_id, day, model, turns, estimated_turns, input_tokens, output_tokens, reasoning_tokens,
        cached_input_tokens, tool_calls, tool_cost, cost, priced_tokens)
    values (
      p_user_id, p_day, coalesce(p_model, ''), p_sign * coalesce((p_tokens ->> 'turns')::integer, 1),
        case when p_is_estimate then p_sign else 0 end,
      p_sign * coalesce((p_tokens ->> 'input_tokens')::bigint, 0),
        p_sign * coalesce((p_tokens ->> 'output_tokens')::bigint, 0),
      p_sign * coalesce((p_tokens ->> 'reasoning_tokens')::bigint, 0),
        p_sign * coalesce((p_tokens ->> 'cached_input_tokens')::bigint, 0),
      p_sign * coalesce((p_tokens ->> 'tool_calls')::bigint, 0),
        p_sign * coalesce((p_tokens ->> 'tool_cost')::numeric, 0),
      p_sign * coalesce((p_tokens ->> 'cost')::numeric, 0),
        case when p_tokens ->> 'cost' is null then 0 else p_sign * (
          coalesce((p_tokens ->> 'input_tokens')::bigint, 0)
          + coalesce((p_tokens ->> 'output_tokens')::bigint, 0)) end
    )
    on conflict (user_id, day, model) do update set
      turns = d.turns + excluded.turns, estimated_turns = d.estimated_turns + excluded.estimated_turns,
      input_tokens = d.input_tokens + excluded.input_tokens,
        output_tokens = d.output_tokens + excluded.output_tokens,
      reasoning_tokens = d.reasoning_tokens + excluded.reasoning_tokens,
      cached_input_tokens = d.cached_input_tokens + excluded.cached_input_tokens,
      tool_calls = d.tool_calls + excluded.tool_calls, tool_cost = d.tool_cost + excluded.tool_cost,
      cost = d.cost + excluded.cost, priced_tokens = d.priced_tokens + excluded.priced_tokens;
end $$;

-- Creates the conversation of a begin.
-- @param argument as in chat_save_messages
-- @returns null, or a refusal: {missing} if its path needs earlier messages, {deleted} if the conversation
--   was deleted since the turn began
create or replace function foreword.create_conversation(p_id uuid, p_user_id uuid, argument jsonb)
  returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_said timestamptz := clock_timestamp() - (argument #>> '{conversation,age_ms}')::bigint * interval '1 millisecond';
begin
  if argument ->> 'anchor' is not null then
    return jsonb_build_object('missing', true);
  end if;
  if exists (
    select from public.deleted_conversations d where d.id = p_id and d.deleted_at >= v_said
      -- Another user's deletion does not count.
      and (d.user_id is null or p_user_id is null or d.user_id = p_user_id)
  ) then
    return jsonb_build_object('deleted', true);
  end if;
  insert into public.conversations (id, title, user_id, updated_at, chat_id)
    values (p_id, argument #>> '{conversation,title}', p_user_id,
      case when coalesce((argument ->> 'late')::boolean, false) then v_said else clock_timestamp() end,
      case when p_id::text <> argument #>> '{conversation,id}' then argument #>> '{conversation,chat_id}' end)
    on conflict (id) do nothing;
  return null;
end $$;

-- Deletes a message that no message follows and no turn answers or has written. Returns whether it did.
create or replace function foreword.delete_unused(p_conversation_id uuid, p_message_id uuid) returns boolean
language plpgsql set search_path = '' as $$
begin
  delete from public.messages m
    where m.id = p_message_id and m.conversation_id = p_conversation_id
      and not exists (select from public.messages b
        where b.conversation_id = p_conversation_id and b.parent_id = p_message_id)
      and not exists (select from public.turns t
        where t.parent_id = p_message_id or t.message_id = p_message_id);
  return found;
end $$;

-- Enters some texts of the backlog, to be handed out from then on. One server at a time does this.
-- @returns whether the backlog may have more
create or replace function foreword.enter_backlog() returns boolean
language plpgsql set search_path = '' as $$
declare
  c_batch constant integer := 500;
  v_kind record;
  v_ids uuid[];
  v_count integer;
begin
  select b.kind as name, b.last_id as place, case b.kind when 'message' then 'public.messages'
    else 'public.conversations' end as source,
      case b.kind when 'message' then 'conversation_id' else 'id' end as conversation
    into v_kind from public.word_backlog b order by b.kind desc limit 1 for update skip locked;
  if v_kind.name is null then
    return false;
  end if;
  execute format('select array(select s.id from %s s where s.id >= $1 order by s.id limit $2)', v_kind.source)
    into v_ids using v_kind.place, c_batch;
  -- Rows that are being deleted are skipped now, and looked at again.
  execute format($f$
    with free as (
      select s.id, s.%3$I as conversation_id from %2$s s where s.id = any ($1) for key share skip locked
    ), entered as (
      insert into public.%1$s_words (id, conversation_id, not_before) select f.id, f.conversation_id,
        clock_timestamp() from free f
        -- Otherwise the insert would wait for rows that another server has just taken.
        where not exists (select from public.%1$s_words w where w.id = f.id)
        on conflict (id) do nothing
    )
    select count(*) from free $f$, v_kind.name, v_kind.source, v_kind.conversation)
    into v_count using v_ids;
  if v_count = cardinality(v_ids) then
    if v_count < c_batch then
      delete from public.word_backlog b where b.kind = v_kind.name;
    else
      update public.word_backlog b set last_id = v_ids[v_count] where b.kind = v_kind.name;
    end if;
  end if;
  return v_count = cardinality(v_ids);
end $$;

-- Returns whether the attachments of a begin are more than its user may have.
-- @param argument as in chat_begin_turn
create or replace function foreword.exceeds_attachments(argument jsonb) returns boolean
language sql stable set search_path = '' as $$
  select coalesce(sum(item.size_bytes), 0) > 0 and coalesce(sum(item.size_bytes), 0)
      + (select coalesce(sum(a.size_bytes), 0) from public.attachments a
        where a.user_id = (argument #>> '{conversation,user_id}')::uuid)
      > (argument ->> 'max_attachment_bytes')::bigint
    from jsonb_to_recordset(argument -> 'attachments') as item (id uuid, size_bytes bigint)
    where not exists (select from public.attachments a where a.id = item.id)
$$;

-- Creates the row of a reply that a turn goes on with: the reply with the results that its client has
-- brought. It supersedes the row without them, and becomes the leaf in its place. The turn's end completes
-- it.
-- @param p_parent_id the message that both answer
-- @param p_reply an item of a path as in chat_save_messages
create or replace function foreword.extend_reply(
  p_turn_id uuid, p_conversation_id uuid, p_parent_id uuid, p_reply jsonb
) returns void
language plpgsql set search_path = '' as $$
declare
  v_parent public.messages;
  v_earlier public.messages;
  v_found public.messages;
  v_is_attempt boolean;
  v_metadata jsonb := coalesce(p_reply -> 'metadata', '{}');
  v_content text := coalesce(p_reply ->> 'content', '');
  v_digest bytea;
  v_message uuid;
begin
  select * into v_parent from public.messages m where m.id = p_parent_id;
  if v_parent.id is null then
    return;
  end if;
  select * into v_earlier from public.messages m
    where m.id = foreword.find_earlier_reply(p_conversation_id, v_parent.id, p_reply);
  if v_earlier.id is not null then
    v_metadata := foreword.add_results(v_earlier.metadata, v_metadata);
  end if;
  -- The completed reply keeps that it was extended.
  v_metadata := v_metadata || jsonb_build_object('reply_of', p_turn_id, 'is_extended', true, 'extended',
    jsonb_build_object('chars', length(v_content), 'calls',
      jsonb_array_length(coalesce(v_metadata -> 'tools', '[]'))));
  v_digest := sha256(v_parent.digest || decode(p_reply #>> '{digests,0}', 'hex'));
  select * into v_found from public.messages m
    where m.conversation_id = p_conversation_id and m.digest = v_digest;
  v_is_attempt := v_found.id is not null and v_found.content = v_content
    and not exists (select from public.messages m where m.conversation_id = p_conversation_id
      and m.parent_id = v_found.id);
  if v_is_attempt
    and not exists (select from public.turns t where t.conversation_id = p_conversation_id
      and t.parent_id = p_parent_id and t.status in ('running', 'waiting') and t.id <> p_turn_id
      and (t.id = v_found.id or t.id::text = v_found.metadata ->> 'reply_of'))
  then
    -- An earlier attempt that added nothing.
    update public.messages set status = null,
        metadata = (foreword.to_object(metadata) - 'superseded_by') || v_metadata
      where id = v_found.id;
    v_message := v_found.id;
  else
    if v_found.id is not null then
      v_digest := sha256(v_digest || uuid_send(p_turn_id)); -- another turn goes on with the same
    end if;
    insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, digest,
      created_at)
      values (
        case when exists (select from public.messages m where m.id = p_turn_id) then gen_random_uuid()
          else p_turn_id end,
        p_conversation_id, v_parent.user_id, p_parent_id, 'assistant', v_content, v_metadata, v_digest,
        foreword.next_time(p_conversation_id))
      returning id into v_message;
  end if;
  update public.messages set metadata = foreword.to_object(metadata)
    || jsonb_build_object('superseded_by', v_message)
    -- Another attempt, too, unless its end adds something.
    where (id = v_earlier.id or (v_is_attempt and id = v_found.id)) and id <> v_message;
  update public.conversations set leaf_id = v_message
    where id = p_conversation_id and (leaf_id is null or leaf_id in (p_parent_id, v_earlier.id)
      or (v_is_attempt and leaf_id = v_found.id));
end $$;

-- Finds the attachments of a begin: those that its messages hold and whose bytes are not stored, and those
-- that are stored.
-- @param argument as in chat_begin_turn
-- @returns {attachments: {missing: [id], stored: [id]}}
create or replace function foreword.find_attachments(argument jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('attachments', jsonb_build_object(
      'missing', coalesce(jsonb_agg(item.id) filter (where a.id is null and exists (
        select from public.message_attachments m
          where m.attachment_id = item.id
            and m.user_id is not distinct from (argument #>> '{conversation,user_id}')::uuid)), '[]'),
      'stored', coalesce(jsonb_agg(item.id) filter (where a.id is not null), '[]')))
    from jsonb_to_recordset(argument -> 'attachments') as item (id uuid)
    left join public.attachments a on a.id = item.id and a.stored_at is not null
$$;

-- Finds the conversation that a path without a named one continues: the user's newest that holds the longest
-- of its candidates.
-- @param argument as in chat_save_messages
create or replace function foreword.find_candidate(p_user_id uuid, argument jsonb) returns uuid
language plpgsql stable set search_path = '' as $$
begin
  return (
    select m.conversation_id
      from jsonb_array_elements_text(argument -> 'candidates') with ordinality as c (digest, place)
      cross join lateral (
        select conversation_id from public.messages
          where user_id = p_user_id and digest = decode(c.digest, 'hex') and status is not null
          order by created_at desc limit 1
      ) m
      order by c.place limit 1);
end $$;

-- Finds the conversation that messages go to, creates it if it is new, and locks it: a conversation has one
-- writer at a time.
-- @param as in chat_save_messages
-- @returns {id, user_id: its owner}, or a refusal as chat_save_messages returns it
create or replace function foreword.find_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_user uuid := coalesce(auth.uid(), (argument #>> '{conversation,user_id}')::uuid);
  v_chat text := argument #>> '{conversation,chat_id}';
  v_must_own boolean := coalesce((argument #>> '{conversation,must_own}')::boolean, false);
  v_must_exist boolean := coalesce((argument #>> '{continue,must_exist}')::boolean, false)
    and not coalesce((argument ->> 'late')::boolean, false);
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_found uuid;
  v_owner uuid;
  v_refusal jsonb;
begin
  if not (argument #>> '{conversation,is_named}')::boolean and v_user is not null then
    v_found := foreword.find_candidate(v_user, argument);
    v_id := coalesce(v_found, v_id);
  end if;
  if v_chat is not null then
    -- Created once.
    perform pg_advisory_xact_lock(hashtextextended(format('foreword chat %s %s', v_user, v_chat), 0));
    v_id := coalesce(public.chat_find_chat(argument), gen_random_uuid());
  end if;

  select c.id, c.user_id into v_found, v_owner from public.conversations c where c.id = v_id for update;
  if v_owner <> v_user or (v_found is not null and v_must_own and v_owner is distinct from v_user) then
    -- Another user's conversation is not touched: the turn gets its own. The id is derived from the turn's,
    -- so that the same begin finds it again, and as a UUID of version 8 it is none that a client could
    -- choose.
    v_id := coalesce(
      overlay(overlay(encode(substr(sha256(convert_to('foreword ' || (argument #>> '{turn,id}'), 'utf8')), 1,
        16), 'hex')
        placing '8' from 13) placing '8' from 17)::uuid,
      gen_random_uuid());
    select c.id, c.user_id into v_found, v_owner from public.conversations c where c.id = v_id for update;
  end if;
  if v_must_exist and (v_found is null or v_owner is distinct from v_user) then
    return jsonb_build_object('missing_path', true);
  end if;
  if v_found is null then
    v_refusal := foreword.create_conversation(v_id, v_user, argument);
    if v_refusal is not null then
      return v_refusal;
    end if;
    select c.user_id into v_owner from public.conversations c where c.id = v_id for update;
  end if;
  return jsonb_build_object('id', v_id, 'user_id', v_owner);
end $$;

-- Returns the id of the row of a reply as it was before its client brought the results of its last calls, or
-- null if there is none.
-- @param p_parent_id the message that both answer
-- @param p_reply an item of a path as in chat_save_messages
create or replace function foreword.find_earlier_reply(
  p_conversation_id uuid, p_parent_id uuid, p_reply jsonb
) returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_digest bytea := (select m.digest from public.messages m where m.id = p_parent_id);
  v_earlier uuid;
  v_text text;
begin
  for v_text in select jsonb_array_elements_text(p_reply -> 'earlier_digests') loop
    select m.id into v_earlier from public.messages m where m.conversation_id = p_conversation_id
      and m.digest = sha256(v_digest || decode(v_text, 'hex'));
    exit when v_earlier is not null;
  end loop;
  if v_earlier is null then
    -- Sent with another text, but with the same calls; or seen further than its turn could be saved.
    select m.id into v_earlier
      from (select * from public.messages where conversation_id = p_conversation_id and parent_id = p_parent_id
        and role = 'assistant' limit 500) m
      where m.metadata ->> 'tools_digest' = p_reply ->> 'earlier_tools_digest'
        or (m.status in ('stopped', 'failed', 'interrupted') and not m.metadata ? 'tools_digest'
          and (m.id::text = p_reply ->> 'sent_id' or m.id = (
            select t.message_id from public.turns t where t.id = (p_reply ->> 'sent_id')::uuid)))
      order by coalesce(m.metadata ->> 'tools_digest' = p_reply ->> 'earlier_tools_digest', false) desc,
        m.metadata ? 'superseded_by', m.created_at desc limit 1;
  end if;
  return v_earlier;
end $$;

-- Finds the turns beside which a begin would run: those of its user that run or wait in the conversation that
-- its path goes to. One begin at a time asks this about a conversation, so that the second of two finds the
-- turn of the first.
-- @param argument as in chat_begin_turn
-- @returns {running: the newest one's id, turns: the ids of all, newest first}, or null
create or replace function foreword.find_running(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_chat text := argument #>> '{conversation,chat_id}';
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_turns jsonb;
begin
  if v_chat is null and not (argument #>> '{conversation,is_named}')::boolean then
    v_id := foreword.find_candidate(v_user, argument);
    if v_id is null then
      return null;
    end if;
  end if;
  perform pg_advisory_xact_lock(
    hashtextextended(format('foreword running %s %s', v_user, coalesce(v_chat, v_id::text)), 0));
  if v_chat is not null then
    v_id := public.chat_find_chat(argument);
  end if;
  select jsonb_agg(t.id order by t.started_at desc, t.id desc) into v_turns from public.turns t
    where t.conversation_id = v_id and t.user_id is not distinct from v_user
      and t.status in ('running', 'waiting') and t.id <> (argument #>> '{turn,id}')::uuid;
  return case when v_turns is not null then jsonb_build_object('running', v_turns -> 0, 'turns', v_turns) end;
end $$;

-- Finds the end of the path to a message that no turn is still working on: above the replies in progress, and
-- above the messages that they answer.
-- @returns the message's id, or null for the root
create or replace function foreword.find_settled(p_conversation_id uuid, p_message_id uuid) returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_message public.messages;
  v_id uuid := p_message_id;
begin
  for v_step in 1 .. 1000 loop -- users may make a circle of their rows
    select * into v_message from public.messages m where m.id = v_id and m.conversation_id = p_conversation_id;
    exit when v_message.id is null or not exists (
      select from public.turns t
        where t.conversation_id = p_conversation_id and t.status in ('running', 'waiting')
          and (t.parent_id = v_id or (v_message.role = 'assistant' and v_message.status is null
            and t.parent_id = v_message.parent_id and t.id::text = v_message.metadata ->> 'reply_of')));
    v_id := v_message.parent_id;
  end loop;
  return v_message.id;
end $$;

-- Finds the reply to a message, for a next message that was sent before its client knew of that reply: the
-- row of the reply in progress, or, if that has ended meanwhile, the reply that is shown.
create or replace function foreword.find_unseen_reply(p_conversation_id uuid, p_parent_id uuid,
  p_created_at timestamptz) returns uuid
language plpgsql set search_path = '' as $$
begin
  return coalesce(
    public.chat_hold_reply(jsonb_build_object(
      'conversation_id', p_conversation_id, 'parent_id', p_parent_id, 'created_at', p_created_at,
      'turn_id', (
        select t.id from public.turns t
          where t.conversation_id = p_conversation_id and t.parent_id = p_parent_id
            and t.status in ('running', 'waiting')
          order by t.started_at desc limit 1))),
    (select leaf.id from public.conversations c
      join public.messages leaf on leaf.id = c.leaf_id and leaf.role = 'assistant'
      join public.messages asked on asked.id = p_parent_id and asked.role = 'user'
      where c.id = p_conversation_id and leaf.parent_id = p_parent_id));
end $$;

-- Returns the words of a message that is being written; null if they name another owner or conversation.
-- @param p_words as in foreword.store_words
create or replace function foreword.find_words(p_conversation_id uuid, p_user_id uuid, p_words jsonb)
  returns tsvector
language plpgsql immutable set search_path = '' as $$
begin
  if (p_words ->> 'conversation_id')::uuid = p_conversation_id
    and (p_words ->> 'user_id')::uuid is not distinct from p_user_id
  then
    return (p_words ->> 'message')::tsvector;
  end if;
  return null;
end $$;

-- Lists the ids of a turn's requests for approval that are not settled, in their order.
create or replace function foreword.list_pending_approvals(p_turn_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(e.data ->> 'approvalId' order by e.position, e.ordinal) from public.turn_events e
      where e.turn_id = p_turn_id and e.type = 'approval-request' and not exists (
        select from public.turn_events r where r.turn_id = p_turn_id and r.type = 'approval-response'
          and r.data ->> 'approvalId' = e.data ->> 'approvalId')), '[]');
end $$;

-- Finds a message somewhere below `p_parent_id` by the id its client uses. The client has left out the
-- messages between the two, which makes no new branch.
-- @param p_message a message of the path, as in chat_save_messages
create or replace function foreword.match_below(p_conversation_id uuid, p_parent_id uuid, p_message jsonb)
  returns uuid
language plpgsql set search_path = '' as $$
declare
  v_content text := coalesce(p_message ->> 'content', '');
  v_found uuid;
begin
  select m.id into v_found from public.messages m
    where m.id = (public.chat_find_message(jsonb_build_object(
        'conversation_id', p_conversation_id, 'id', p_message ->> 'client_id')) ->> 'id')::uuid
      and m.conversation_id = p_conversation_id and m.role = p_message ->> 'role'
      and (p_message ->> 'tools_digest' is null or m.metadata ->> 'tools_digest' = p_message ->> 'tools_digest')
      and case m.role when 'assistant' then starts_with(m.content, v_content) else m.content = v_content end
      and exists (
        with recursive above as (
          select m.parent_id as id, m.created_at as below_at, m.id as below_id, 1 as place
          union all
          select up.parent_id, up.created_at, up.id, a.place + 1 from above a
            cross join lateral (select * from public.messages message where message.id = a.id limit 1) up
            where a.id <> p_parent_id and a.place < 20000
              and (up.created_at, up.id) < (a.below_at, a.below_id) -- users may make a circle of their rows
        )
        select from above a where a.id = p_parent_id);
  return v_found;
end $$;

-- Finds the message below `p_parent_id` that a client has changed before it sent it back: a user's text with
-- other white space around it; a reply that was cut off and that the client saw more of; a reply that the
-- client names and saw less of; an earlier message whose images were left out. A reply with calls of its
-- client's tools must have the same ones, unless the client keeps none.
-- @param p_message a message of the path, as in chat_save_messages
-- @param p_is_last whether it is the path's last message: then only a reply is looked for
create or replace function foreword.match_message(
  p_conversation_id uuid, p_parent_id uuid, p_message jsonb, p_is_last boolean
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_content text := coalesce(p_message ->> 'content', '');
  v_metadata jsonb := coalesce(p_message -> 'metadata', '{}');
  v_sent_id text := p_message ->> 'sent_id';
  v_tools text := p_message ->> 'tools_digest';
  v_found uuid;
begin
  if p_is_last and p_message ->> 'role' <> 'assistant' then
    return null;
  end if;
  select m.id into v_found from (
      -- A bound on their number and length: their texts are read, and users may have written anything.
      (select * from public.messages where conversation_id = p_conversation_id and parent_id = p_parent_id
        and (coalesce(octet_length(content), 0) <= octet_length(v_content) + 1024 or id::text = v_sent_id)
          limit 500)
      union all
      (select * from public.messages where p_parent_id is null and conversation_id = p_conversation_id
        and parent_id is null
        and (coalesce(octet_length(content), 0) <= octet_length(v_content) + 1024 or id::text = v_sent_id)
          limit 500)
    ) m
    where m.role = p_message ->> 'role'
      and (v_tools is null or m.metadata ->> 'tools_digest' = v_tools
        or (m.status in ('stopped', 'failed', 'interrupted') and not m.metadata ? 'tools_digest'))
      and case
        when m.role = 'assistant' then
          m.content = v_content
          or ((m.id::text = v_sent_id or m.metadata ->> 'reply_of' = v_sent_id
              or m.id = (select t.message_id from public.turns t where t.id = v_sent_id::uuid))
            and (starts_with(m.content, v_content)
              or (m.status is null and starts_with(v_content, m.content))))
          or (m.status in ('stopped', 'failed', 'interrupted') and case
            when m.content <> '' then starts_with(v_content, m.content)
            -- It was cut off in its plan.
            else starts_with(coalesce(v_metadata ->> 'plan', v_content), nullif(m.metadata ->> 'plan', ''))
          end)
        else
          btrim(m.content, E' \t\r\n') = v_content and m.metadata ? 'images_count'
          and (not v_metadata ? 'images_count' or m.metadata ? 'images_unknown')
      end
    order by m.content = v_content desc, length(m.content) desc, m.metadata ? 'superseded_by',
      m.created_at desc limit 1;
  return v_found;
end $$;

-- Returns the tool calls of a reply that has come again with more of them, or with results: the stored ones,
-- then the sent ones that are new. The client's stored calls are replaced by the sent ones in the same order,
-- unless only the stored one has a result: the reply's end may come after them.
-- Clients cannot change calls that this server ran.
-- @param p_stored, p_sent as `metadata.tools` holds them
create or replace function foreword.merge_tools(p_stored jsonb, p_sent jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  with stored as (
    select s.tool, s.place, s.tool ->> 'runsOn' = 'client' as is_client,
      count(*) filter (where s.tool ->> 'runsOn' = 'client') over (order by s.place) as nth
    from jsonb_array_elements(case when jsonb_typeof(p_stored) = 'array' then p_stored else '[]' end)
      with ordinality as s (tool, place)
  ), sent as (
    select s.tool, s.place, s.tool ->> 'runsOn' = 'client' as is_client,
      count(*) filter (where s.tool ->> 'runsOn' = 'client') over (order by s.place) as nth
    from jsonb_array_elements(case when jsonb_typeof(p_sent) = 'array' then p_sent else '[]' end)
      with ordinality as s (tool, place)
  )
  select coalesce(jsonb_agg(m.tool order by m.is_new, m.place), '[]') from (
    select case when old.tool ? 'outcome' and not new.tool ? 'outcome' then old.tool
        else coalesce(new.tool, old.tool) end as tool, false as is_new, old.place
      from stored old left join sent new on old.is_client and new.is_client and new.nth = old.nth
    union all
    select new.tool, true, new.place from sent new
      where case when new.is_client
        then new.nth > (select count(*) from stored old where old.is_client)
        else not exists (select from stored old where not old.is_client
          and old.tool ->> 'callId' = new.tool ->> 'callId' and old.tool ->> 'step' = new.tool ->> 'step') end
  ) m
$$;

-- Returns the bytes of a message for the places where long chats are cut, as countMessageBytes of the server
-- counts them: an image counts 4,000, the result of a tool at most 4,096.
-- @param p_metadata users may have written anything there
create or replace function foreword.message_bytes(p_content text, p_metadata jsonb) returns bigint
language plpgsql immutable set search_path = '' as $$
declare
  v_bytes bigint := coalesce(octet_length(p_content), 0);
begin
  if jsonb_typeof(p_metadata -> 'images_count') = 'number' then
    v_bytes := v_bytes + 4000 * greatest(0, least((p_metadata ->> 'images_count')::numeric, 1000))::bigint;
  end if;
  if jsonb_typeof(p_metadata -> 'tools') = 'array' then
    v_bytes := v_bytes + (
      select coalesce(sum(octet_length(coalesce(t.tool ->> 'name', ''))
        + octet_length(coalesce(t.tool ->> 'input', ''))
        + least(4096, octet_length(coalesce(t.tool #>> '{outcome,output}', '')))), 0)::bigint
      from jsonb_array_elements(p_metadata -> 'tools') t (tool));
  end if;
  return v_bytes;
end;
$$;

-- Returns the time of a conversation's next message: now, or a microsecond after its newest.
create or replace function foreword.next_time(p_conversation_id uuid) returns timestamptz
language plpgsql set search_path = '' as $$
declare
  -- Only with a bound that is known does a plan that is made while the table is small use the index of times.
  v_now timestamptz := clock_timestamp();
  v_newest timestamptz;
begin
  -- A time that a user has set to the end of time has no next one.
  select m.created_at into v_newest from public.messages m
    where m.conversation_id = p_conversation_id and m.created_at < v_now + interval '1 day'
    order by m.created_at desc limit 1;
  return greatest(v_now, v_newest + interval '1 microsecond');
end $$;

-- Returns the bytes of the path that ends in a message; 0 without one. Rows of the time before paths were
-- counted are counted now, up to the first one that knows.
create or replace function foreword.path_bytes(p_message_id uuid) returns bigint
language plpgsql stable set search_path = '' as $$
declare
  v_bytes bigint;
begin
  if p_message_id is null then
    return 0;
  end if;
  select m.path_bytes + foreword.message_bytes(m.content, m.metadata) into v_bytes
    from public.messages m where m.id = p_message_id;
  if v_bytes is not null or not found then
    return coalesce(v_bytes, 0);
  end if;
  with recursive path as (
    select m.parent_id, m.path_bytes, foreword.message_bytes(m.content, m.metadata) as bytes, 1 as place
      from public.messages m where m.id = p_message_id
    union all
    select m.parent_id, m.path_bytes, foreword.message_bytes(m.content, m.metadata), p.place + 1
      from path p
        cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
      where p.path_bytes is null and p.place < 20000
  )
  select sum(p.bytes + coalesce(p.path_bytes, 0))::bigint into v_bytes from path p;
  return coalesce(v_bytes, 0);
end $$;

-- Stores items of a turn. One that is stored already stays, but a piece of reasoning that holds more of the
-- text before its end replaces it. The items of a turn hold at most 1 MiB as JSON, and its reasoning half of
-- that: more is left out, reasoning first. Servers stop before that.
-- @param p_items [{position, ordinal, type, data}]
create or replace function foreword.save_items(p_turn_id uuid, p_items jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  if p_items is null or jsonb_typeof(p_items) <> 'array' or p_items = '[]' then
    return;
  end if;
  insert into public.turn_events as saved (turn_id, position, ordinal, type, data)
    select p_turn_id, n.position, n.ordinal, n.type, n.data
    from (
      select i.*, sum(octet_length(i.data::text)) over (
          order by i.type = 'reasoning-delta', i.position, i.ordinal) as total
      from (
        -- The longest of those at one place: reasoning may be sent again with more before it.
        select distinct on (r.position, r.ordinal) r.* from jsonb_to_recordset(p_items)
          as r (position integer, ordinal integer, type text, data jsonb)
          order by r.position, r.ordinal, octet_length(r.data ->> 'text') desc nulls last
      ) i
      where not exists (select from public.turn_events e
        where e.turn_id = p_turn_id and e.position = i.position and e.ordinal = i.ordinal
          and (i.type <> 'reasoning-delta'
            or octet_length(e.data ->> 'text') >= octet_length(i.data ->> 'text')))
    ) n
    where n.total + (select coalesce(sum(e.bytes), 0) from public.turn_events e where e.turn_id = p_turn_id)
      <= case when n.type = 'reasoning-delta' then 524288 else 1048576 end
    on conflict (turn_id, position, ordinal) do update set type = excluded.type, data = excluded.data;
end $$;

-- Adds the responses to a turn's requests for approval after its last text and item.
-- @param p_responses [{approval_id, decision, reason: or null}]
create or replace function foreword.settle_approvals(p_turn_id uuid, p_responses jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  -- A position counts bytes of UTF-8, which the database's encoding need not be.
  v_position integer := greatest(
    (select max(p.position + octet_length(convert_to(p.text, 'utf8'))) from public.turn_pieces p
      where p.turn_id = p_turn_id),
    (select max(e.position) from public.turn_events e where e.turn_id = p_turn_id), 0);
  v_ordinal integer := coalesce((select max(e.ordinal) from public.turn_events e
    where e.turn_id = p_turn_id and e.position = v_position), 0);
begin
  insert into public.turn_events (turn_id, position, ordinal, type, data)
    select p_turn_id, v_position, v_ordinal + r.place, 'approval-response', jsonb_strip_nulls(jsonb_build_object(
      'approvalId', r.response ->> 'approval_id',
      'callId', (select e.data ->> 'callId' from public.turn_events e where e.turn_id = p_turn_id
        and e.type = 'approval-request' and e.data ->> 'approvalId' = r.response ->> 'approval_id' limit 1),
      'decision', r.response ->> 'decision', 'reason', r.response ->> 'reason'))
    from jsonb_array_elements(p_responses) with ordinality as r (response, place);
end $$;

-- Creates a conversation together with its only message, as most are: nothing in it has to be looked for.
-- @param argument as in chat_save_messages
-- @returns as chat_save_messages; or null, with nothing written, if the conversation may exist already, or
--   another step of chat_save_messages is needed
create or replace function foreword.start_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_message jsonb := argument #> '{path,0}';
  v_message_id uuid := (v_message ->> 'id')::uuid;
  v_digest bytea;
  v_stored_id uuid;
begin
  if jsonb_array_length(argument -> 'path') <> 1 or argument ->> 'anchor' is not null
    or argument #>> '{conversation,chat_id}' is not null or jsonb_typeof(argument -> 'continue') = 'object'
    or coalesce((argument ->> 'late')::boolean, false) or v_message ->> 'role' <> 'user'
    or (jsonb_typeof(argument -> 'candidates') = 'array' and argument -> 'candidates' <> '[]')
  then
    return null;
  end if;
  -- A user may only write a leaf that exists.
  if auth.uid() is not null or exists (select from public.deleted_conversations d where d.id = v_id) then
    return null;
  end if;
  v_digest := sha256(decode(v_message #>> '{digests,0}', 'hex'));
  with conversation as (
    insert into public.conversations (id, title, user_id, updated_at, leaf_id)
      values (v_id, argument #>> '{conversation,title}', v_user, clock_timestamp(), v_message_id)
      on conflict (id) do nothing returning id, user_id
  ), message as (
    insert into public.messages (id, conversation_id, user_id, role, content, metadata, status, digest, created_at)
      select v_message_id, c.id, c.user_id, 'user', coalesce(v_message ->> 'content', ''),
          coalesce(v_message -> 'metadata', '{}'), v_message ->> 'status', v_digest, clock_timestamp()
        from conversation c
      returning id, conversation_id, user_id
  ), title_words as (
    insert into public.title_words (id, conversation_id, words)
      select c.id, c.id, (argument #>> '{words,title}')::tsvector from conversation c
  ), message_words as (
    insert into public.message_words (id, conversation_id, words)
      select m.id, m.conversation_id, foreword.find_words(m.conversation_id, m.user_id, argument -> 'words')
        from message m
  )
  select m.id into v_stored_id from message m;
  if v_stored_id is null then
    return null;
  end if;
  return jsonb_build_object('conversation_id', v_id, 'message_id', v_message_id, 'digest',
    encode(v_digest, 'hex'));
end $$;

-- Stores the reply of a turn that ends: in the row that was created for it while it ran, if its client went
-- on below it or it goes on with an earlier reply, else in a row of its own.
-- @param p_user_id the conversation's owner
-- @param argument as in chat_end_turn
-- @returns the message's id
create or replace function foreword.store_reply(
  p_turn_id uuid, p_conversation_id uuid, p_parent_id uuid, p_user_id uuid, argument jsonb
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_status text := argument #>> '{turn,status}';
  -- The text is sent once, unless white space around it makes the message another text than the answer.
  v_text text := coalesce(argument #>> '{reply,content}', argument #>> '{turn,answer}');
  v_content text := v_text;
  v_metadata jsonb := argument #> '{reply,metadata}';
  v_digest bytea;
  v_message uuid;
  v_extended jsonb;
begin
  select sha256(m.digest || decode(argument #>> '{reply,digest}', 'hex')) into v_digest
    from public.messages m where m.id = p_parent_id;
  if coalesce((argument #>> '{reply,is_part}')::boolean, false) then
    v_extended := foreword.continue_reply(p_turn_id, p_conversation_id, p_parent_id, v_content, v_metadata);
    if v_extended is not null then
      v_content := v_extended ->> 'content';
      v_metadata := v_extended -> 'metadata';
      v_digest := sha256(v_digest || uuid_send(p_turn_id)); -- of a part only
    end if;
  end if;
  select m.id into v_message from public.messages m
    where m.conversation_id = p_conversation_id and m.parent_id = p_parent_id and m.role = 'assistant'
      and m.status is null and (m.id = p_turn_id or m.metadata ->> 'reply_of' = p_turn_id::text)
    order by m.created_at limit 1;
  if v_message is not null then
    v_message := foreword.complete_held_reply(v_message, v_content, v_metadata, v_status, v_digest,
      v_extended is not null);
    perform foreword.store_words(v_message, v_text, argument -> 'words');
    return v_message;
  end if;
  with reply as (
    insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, status,
      digest, created_at)
    values (
      -- As a rule the turn's own id, which its client may have chosen: a message may have it already.
      case when exists (select from public.messages m where m.id = (argument #>> '{reply,id}')::uuid)
        then gen_random_uuid() else (argument #>> '{reply,id}')::uuid end,
      p_conversation_id, p_user_id, p_parent_id, 'assistant', v_content, v_metadata, v_status, v_digest,
      foreword.next_time(p_conversation_id)
    )
    on conflict do nothing returning id, conversation_id, user_id
  ), stored_words as (
    insert into public.message_words (id, conversation_id, words)
      select r.id, r.conversation_id,
          case when v_extended is null
            then foreword.find_words(r.conversation_id, r.user_id, argument -> 'words') end
        from reply r
  )
  select r.id into v_message from reply r;
  if v_message is null then
    select id into v_message from public.messages where conversation_id = p_conversation_id
      and digest = v_digest;
    -- A message with this text already: its client sent it back before it was stored, or a reply was cut off
    -- there.
    update public.messages set status = v_status, metadata = foreword.to_object(metadata) || v_metadata
      where id = v_message and status is distinct from 'complete';
    perform foreword.store_words(v_message, v_text, argument -> 'words');
  end if;
  return v_message;
end $$;

-- Stores the words of a message that was written just now, unless a server has read it already.
-- @param p_content the text that has these words: the message may be another one that counts as the same
-- @param p_words {user_id, conversation_id: those that the words name, message: a tsvector, or null, title}
create or replace function foreword.store_words(p_message_id uuid, p_content text, p_words jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  if p_words ->> 'message' is null then
    return;
  end if;
  update public.message_words w set words = (p_words ->> 'message')::tsvector
    from public.messages m
    where m.id = p_message_id and m.content = p_content
      and m.conversation_id = (p_words ->> 'conversation_id')::uuid
      and m.user_id is not distinct from (p_words ->> 'user_id')::uuid
      and w.id = m.id and w.words is null and w.revision = 0;
end $$;

-- Moves the rows of a turn's own conversation into one that its client has created for them, and returns the
-- new leaf; null if there is no such turn, or no user: of two strangers with equal chats, one would lose
-- theirs. The path of the client's conversation with the messages it adds is then the path that the turn's
-- conversation shows, and nothing of either is lost.
-- @param p_id the conversation, locked; p_leaf_id its leaf; p_path the messages to add, as in
--   chat_save_messages
create or replace function foreword.take_turn_over(p_id uuid, p_user_id uuid, p_leaf_id uuid, p_path jsonb)
  returns uuid
language plpgsql set search_path = '' as $$
declare
  v_digest bytea := coalesce((select m.digest from public.messages m where m.id = p_leaf_id), '');
  v_item jsonb;
  v_from uuid;
  v_leaf uuid;
  v_shown uuid[];
begin
  if p_user_id is null or exists (select from public.turns t where t.conversation_id = p_id) then
    return null;
  end if;
  for v_item in select value from jsonb_array_elements(p_path) loop
    v_digest := sha256(v_digest || decode(v_item #>> '{digests,0}', 'hex'));
  end loop;
  select c.id, m.id into v_from, v_leaf
    from public.messages m join public.conversations c on c.id = m.conversation_id and c.leaf_id = m.id
      join public.turns t on t.message_id = m.id
    where m.user_id is not distinct from p_user_id and m.digest = v_digest and m.conversation_id <> p_id
      and c.user_id is not distinct from p_user_id and c.chat_id is null
      -- Only of a client that has not been told of this conversation.
      and t.request is not null and t.request ->> 'conversation' is null
      and t.ended_at > clock_timestamp() - interval '1 hour'
    order by m.created_at desc limit 1;
  if v_from is null then
    return null;
  end if;
  perform 1 from public.conversations c where c.id = v_from for update;
  with recursive shown as (
    select m.id, m.parent_id, 1 as place from public.messages m where m.id = v_leaf
    union all
    select m.id, m.parent_id, s.place + 1 from shown s
      cross join lateral (select * from public.messages message where message.id = s.parent_id limit 1) m
      where s.place < 1000
  ) select array_agg(id) into v_shown from shown;
  if exists (select from public.messages m where m.conversation_id = v_from and not m.id = any (v_shown)
      and not coalesce(m.metadata ? 'superseded_by', false))
    or exists (select from public.turns t where t.conversation_id = v_from
      and (t.status in ('running', 'waiting') or t.request is null))
    or exists (select from public.messages m where m.conversation_id = p_id and m.digest not in (
      select s.digest from public.messages s where s.id = any (v_shown)))
    or not exists (select from public.conversations c where c.id = v_from and c.leaf_id = v_leaf)
  then
    return null;
  end if;
  delete from public.messages where conversation_id = p_id;
  update public.messages set conversation_id = p_id where conversation_id = v_from;
  update public.turns set conversation_id = p_id where conversation_id = v_from;
  update public.context_summaries set conversation_id = p_id where conversation_id = v_from;
  update public.conversations c set leaf_id = v_leaf, updated_at = clock_timestamp(),
      title = case when c.titled_by is null then f.title else c.title end,
      titled_by = coalesce(c.titled_by, f.titled_by)
    from public.conversations f where c.id = p_id and f.id = v_from;
  delete from public.conversations where id = v_from;
  return v_leaf;
end $$;

-- Returns the cost of tokens at most, or null if their prices are unknown.
-- @param p_tokens {input_tokens, output_tokens}
-- @param p_prices {input_price, output_price}: of a million tokens
create or replace function foreword.to_cost(p_tokens jsonb, p_prices jsonb) returns numeric
language plpgsql immutable set search_path = '' as $$
begin
  return (coalesce((p_tokens ->> 'input_tokens')::numeric, 0) * (p_prices ->> 'input_price')::numeric
    + coalesce((p_tokens ->> 'output_tokens')::numeric, 0) * (p_prices ->> 'output_price')::numeric) * 0.000001;
end $$;

-- Returns the metadata of a message as an object: users may have written anything there.
create or replace function foreword.to_object(p_metadata jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select case jsonb_typeof(p_metadata) when 'object' then p_metadata else '{}' end
$$;

-- Returns the tool calls of a reply as a model is sent them again later: a long output of one of our own
-- tools is cut to 4,096 characters of its text.
-- @param p_metadata a message's; users may have written anything there
-- @returns a list, or null if there are none
create or replace function foreword.trim_tools(p_metadata jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_agg(case
    when t.tool ->> 'runsOn' = 'server' and length(t.tool #>> '{outcome,output}') > 4096
      then jsonb_set(t.tool, '{outcome,output}', to_jsonb(left(coalesce(
        (select string_agg(part.value ->> 'text', E'\n') from jsonb_array_elements(
          case when jsonb_typeof(t.tool #> '{outcome,output,content}') = 'array'
            then t.tool #> '{outcome,output,content}' else '[]' end) part where part.value ->> 'type' = 'text'),
        t.tool #>> '{outcome,output}'), 4096)))
    else t.tool end order by t.place)
  from jsonb_array_elements(case
    when jsonb_typeof(p_metadata -> 'tools') = 'array' and pg_column_size(p_metadata) <= 6291456
      and octet_length((p_metadata -> 'tools')::text) <= 6291456
      then p_metadata -> 'tools' else '[]' end) with ordinality as t (tool, place)
$$;

-- Returns the schema of the type `vector` if vectors of passages can be stored, else null. Functions name it
-- in dynamic SQL only, so that they work without the extension.
create or replace function foreword.vector_schema() returns text
language sql stable set search_path = '' as $$
  select n.nspname::text
    from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace n on n.oid = t.typnamespace
    where a.attrelid = to_regclass('public.passage_vectors') and a.attname = 'vector' and not a.attisdropped
$$;

-- Becomes the user, if there is one; unowned rows are read as the service.
-- @param schema_version, user_id
create or replace function public.chat_become_caller(argument jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  if argument ->> 'user_id' is not null then
    perform public.chat_become_user(argument);
  end if;
end $$;

-- Becomes the user until the transaction ends: from here on, row level security decides.
-- @param user_id
create or replace function public.chat_become_user(argument jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  perform set_config('request.jwt.claims',
    json_build_object('sub', argument ->> 'user_id', 'role', 'authenticated')::text, true);
  perform set_config('role', 'authenticated', true);
end $$;

-- Refuses servers of other schema versions with SQLSTATE FW001.
-- @param schema_version the version that the server calls with
create or replace function public.chat_check_version(argument jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
  perform foreword.check_version(argument);
end $$;

-- Describes this schema to servers and to `foreword doctor`.
-- @param schema_version optional: without it, servers that this schema does not serve can ask for its version
create or replace function public.chat_describe_schema(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  if argument ? 'schema_version' then
    perform public.chat_check_version(argument);
  end if;
  return jsonb_build_object(
    'version', 12,
    'serves_from', 9,
    'caller', current_user,
    'tables', (
      select jsonb_object_agg(c.relname, jsonb_build_object(
        'row_level_security', c.relrowsecurity,
        'policies', (select count(*) from pg_policy p where p.polrelid = c.oid),
        'anon', has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate'),
        'service_role', has_table_privilege('service_role', c.oid, 'select')
          and has_table_privilege('service_role', c.oid, 'insert')
          and has_table_privilege('service_role', c.oid, 'update')
            and has_table_privilege('service_role', c.oid, 'delete')))
      from unnest(array[
    'public.attachments',
    'public.attachment_pieces',
    'public.message_attachments',
    'public.deleted_objects',
    'public.context_summaries',
    'public.conversations',
    'public.daily_costs',
    'public.deleted_conversations',
    'public.deleted_turns',
    'public.knowledge_bases',
    'public.documents',
    'public.passages',
    'public.messages',
    'foreword.schema_steps',
    'public.turn_events',
    'public.turn_waits',
    'public.turns',
    'public.turn_pieces',
    'public.daily_usage',
    'public.request_counts',
    'public.message_words',
    'public.title_words',
    'public.word_backlog',
    'public.passage_vectors'
      ]) as name join pg_class c on c.oid = to_regclass(name)
    ),
    'has_vectors', foreword.vector_schema() is not null,
    'functions', (
      select jsonb_object_agg(p.proname, jsonb_build_object(
        'anon', has_function_privilege('anon', p.oid, 'execute'),
        'authenticated', has_function_privilege('authenticated', p.oid, 'execute'),
        'service_role', has_function_privilege('service_role', p.oid, 'execute')))
      from unnest(array[
    'public.chat_become_caller(jsonb)',
    'public.chat_become_user(jsonb)',
    'public.chat_check_version(jsonb)',
    'public.chat_describe_schema(jsonb)',
    'public.chat_list_visible_tables(jsonb)',
    'public.chat_try_write(jsonb)',
    'public.chat_add_messages(jsonb)',
    'public.chat_change_message(jsonb)',
    'public.chat_find_chat(jsonb)',
    'public.chat_find_message(jsonb)',
    'public.chat_find_place(jsonb)',
    'public.chat_find_summaries(jsonb)',
    'public.chat_hold_reply(jsonb)',
    'public.chat_list_messages(jsonb)',
    'public.chat_list_path(jsonb)',
    'public.chat_read_chat(jsonb)',
    'public.chat_read_path(jsonb)',
    'public.chat_save_messages(jsonb)',
    'public.chat_save_summary(jsonb)',
    'public.chat_answer_approvals(jsonb)',
    'public.chat_begin_turn(jsonb)',
    'public.chat_claim_waiting(jsonb)',
    'public.chat_delete_turn(jsonb)',
    'public.chat_end_turn(jsonb)',
    'public.chat_find_limit(jsonb)',
    'public.chat_find_newest_turn(jsonb)',
    'public.chat_list_abandoned_turns(jsonb)',
    'public.chat_pause_turn(jsonb)',
    'public.chat_read_turn(jsonb)',
    'public.chat_request_stop(jsonb)',
    'public.chat_save_progress(jsonb)',
    'public.chat_create_conversation(jsonb)',
    'public.chat_delete_conversations(jsonb)',
    'public.chat_delete_expired(jsonb)',
    'public.chat_get_conversation(jsonb)',
    'public.chat_list_conversations(jsonb)',
    'public.chat_title_conversation(jsonb)',
    'public.chat_update_conversation(jsonb)',
    'public.chat_find_hits(jsonb)',
    'public.chat_index_texts(jsonb)',
    'public.chat_search_conversations(jsonb)',
    'public.chat_count_usage(jsonb)',
    'public.chat_list_usage(jsonb)',
    'public.chat_read_key_cost(jsonb)',
    'public.chat_take_requests(jsonb)',
    'public.chat_read_attachments(jsonb)',
    'public.chat_store_attachments(jsonb)',
    'public.chat_take_deleted_objects(jsonb)',
    'public.chat_delete_documents(jsonb)',
    'public.chat_find_passages(jsonb)',
    'public.chat_find_similar(jsonb)',
    'public.chat_list_documents(jsonb)',
    'public.chat_list_knowledge_bases(jsonb)',
    'public.chat_read_document(jsonb)',
    'public.chat_save_document(jsonb)',
    'public.chat_save_passages(jsonb)',
    'public.chat_save_vectors(jsonb)',
    'public.chat_take_document(jsonb)',
    'public.chat_take_unembedded(jsonb)'
      ]) as name join pg_proc p on p.oid = name::regprocedure
    ),
    'internal_functions', (
      select jsonb_agg(name) from unnest(array[
    'foreword.add_results(jsonb, jsonb)',
    'foreword.adopt_old_rows(uuid, uuid, jsonb)',
    'foreword.append_path(uuid, uuid, uuid, bytea, integer, jsonb)',
    'foreword.check_version(jsonb)',
    'foreword.claim_turn(uuid, jsonb)',
    'foreword.complete_held_reply(uuid, text, jsonb, text, bytea, boolean)',
    'foreword.continue_reply(uuid, uuid, uuid, text, jsonb)',
    'foreword.count_cost(text, date, numeric)',
    'foreword.count_usage(uuid, date, integer, text, jsonb, boolean)',
    'foreword.create_conversation(uuid, uuid, jsonb)',
    'foreword.delete_unused(uuid, uuid)',
    'foreword.enter_backlog()',
    'foreword.exceeds_attachments(jsonb)',
    'foreword.extend_reply(uuid, uuid, uuid, jsonb)',
    'foreword.find_attachments(jsonb)',
    'foreword.find_candidate(uuid, jsonb)',
    'foreword.find_conversation(jsonb)',
    'foreword.find_earlier_reply(uuid, uuid, jsonb)',
    'foreword.find_running(jsonb)',
    'foreword.find_settled(uuid, uuid)',
    'foreword.find_unseen_reply(uuid, uuid, timestamptz)',
    'foreword.find_words(uuid, uuid, jsonb)',
    'foreword.list_pending_approvals(uuid)',
    'foreword.match_below(uuid, uuid, jsonb)',
    'foreword.match_message(uuid, uuid, jsonb, boolean)',
    'foreword.merge_tools(jsonb, jsonb)',
    'foreword.message_bytes(text, jsonb)',
    'foreword.next_time(uuid)',
    'foreword.path_bytes(uuid)',
    'foreword.save_items(uuid, jsonb)',
    'foreword.settle_approvals(uuid, jsonb)',
    'foreword.start_conversation(jsonb)',
    'foreword.store_reply(uuid, uuid, uuid, uuid, jsonb)',
    'foreword.store_words(uuid, text, jsonb)',
    'foreword.take_turn_over(uuid, uuid, uuid, jsonb)',
    'foreword.to_cost(jsonb, jsonb)',
    'foreword.to_object(jsonb)',
    'foreword.trim_tools(jsonb)',
    'foreword.vector_schema()'
      ]) as name where name::regprocedure is not null
    ),
    'steps', (
      select jsonb_agg(distinct s.step order by s.step) from foreword.schema_steps s
    )
  );
end $$;

-- Returns the tables that hold a row which row level security alone lets the user see.
-- @param user_id
create or replace function public.chat_list_visible_tables(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  perform public.chat_become_user(argument);
  return to_jsonb(array_remove(array[
    case when exists (select from public.conversations) then 'conversations' end,
    case when exists (select from public.messages) then 'messages' end,
    case when exists (select from public.turns) then 'turns' end,
    case when exists (select from public.turn_pieces) then 'turn_pieces' end,
    case when exists (select from public.turn_events) then 'turn_events' end,
    case when exists (select from public.deleted_conversations) then 'deleted_conversations' end,
    case when exists (select from public.daily_usage) then 'daily_usage' end], null));
end $$;

-- Tries to write the rows of a turn, and leaves none: fails as the begin of a turn would.
-- @param schema_version
create or replace function public.chat_try_write(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '500ms' as $$
declare
  v_id uuid := gen_random_uuid();
begin
  perform public.chat_check_version(argument);
  begin
    insert into public.conversations (id, title) values (v_id, '');
    insert into public.messages (id, conversation_id, role, content) values (v_id, v_id, 'user', '');
    insert into public.turns (id, conversation_id) values (v_id, v_id);
    insert into public.turn_pieces (turn_id, position, text) values (v_id, 0, '');
    raise exception 'all of them can be written' using errcode = 'FW003';
  exception when sqlstate 'FW003' then null; -- takes the rows back
  end;
  return '{"written": true}';
end $$;

-- Adds messages below the leaf of a conversation of the user. Messages that the end of the shown path already
-- is are not added again. Nor are those of a turn whose client keeps a conversation of its own: if the
-- conversation has no turn, and its path with these messages is all that the conversation of a new turn
-- shows, it takes that one's rows over.
-- @param conversation {id, is_named, user_id, age_ms}, path, addresses, step_bytes: as in chat_save_messages
-- @param attachments, max_attachment_bytes as in chat_begin_turn
-- @returns what chat_save_messages returns, and {message_ids: of the path}, and {attachments} as in
--   chat_begin_turn; {full} as there; or {missing_path} if the user has no such conversation
create or replace function public.chat_add_messages(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_path jsonb := argument -> 'path';
  v_count integer := jsonb_array_length(argument -> 'path');
  v_end public.messages[] := '{}'; -- of the shown path, oldest first
  v_message public.messages;
  v_digest bytea;
  v_next uuid;
  v_known integer;
  v_ids uuid[];
  v_saved jsonb;
  v_has_attachments boolean := coalesce(jsonb_typeof(argument -> 'attachments') = 'array', false);
begin
  perform public.chat_check_version(argument);
  select c.leaf_id into v_next from public.conversations c
    where c.id = v_id and c.user_id is not distinct from v_user for update;
  if not found then
    return jsonb_build_object('missing_path', true);
  end if;
  if v_has_attachments and foreword.exceeds_attachments(argument) then
    return jsonb_build_object('full', true);
  end if;
  v_next := coalesce(foreword.take_turn_over(v_id, v_user, v_next, v_path), v_next);
  while v_next is not null and cardinality(v_end) <= v_count loop
    select * into v_message from public.messages m where m.id = v_next and m.conversation_id = v_id;
    exit when v_message.id is null;
    v_end := array_prepend(v_message, v_end);
    v_next := v_message.parent_id;
  end loop;
  v_known := least(cardinality(v_end), v_count);
  while v_known > 0 loop
    exit when not exists (
      select from generate_series(1, v_known) as n,
        lateral (select v_path -> (n - 1) as item, (v_end[cardinality(v_end) - v_known + n]).*) m
        where m.role is distinct from m.item ->> 'role' or not (
          (m.content = m.item ->> 'content' and not m.metadata ? 'attachments'
            and m.metadata ->> 'tools_digest' is not distinct from m.item ->> 'tools_digest')
          or exists (select from jsonb_array_elements_text(m.item -> 'digests') d
            where m.digest = sha256(coalesce((select p.digest from public.messages p where p.id = m.parent_id), '')
              || decode(d, 'hex')))));
    v_known := v_known - 1;
  end loop;
  v_ids := array(select (e).id from unnest(v_end[cardinality(v_end) - v_known + 1 :]) as e);
  if v_known = v_count then
    return jsonb_build_object('conversation_id', v_id, 'digest',
      encode((v_end[cardinality(v_end)]).digest, 'hex'), 'message_ids', v_ids);
  end if;

  v_saved := public.chat_save_messages(argument || jsonb_build_object('anchor', null, 'candidates', '[]'::jsonb,
    'path', (select jsonb_agg(e.item order by e.place) from jsonb_array_elements(v_path) with ordinality
      as e (item, place) where e.place > v_known),
    'continue', '{"mode": "leaf", "must_exist": true}'::jsonb));
  if v_saved ? 'message_id' then
    v_next := (v_saved ->> 'message_id')::uuid;
    for v_place in v_known + 1 .. v_count loop
      v_ids[v_known + 1 + v_count - v_place] := v_next;
      select m.parent_id into v_next from public.messages m where m.id = v_next;
    end loop;
    v_saved := v_saved || jsonb_build_object('message_ids', v_ids)
      || case when v_has_attachments then foreword.find_attachments(argument) else '{}' end;
  end if;
  return v_saved;
end $$;

-- Changes what a message of the user holds. One that then holds nothing is deleted, unless others follow it:
-- they would lose their place. It stays without content, and is no longer part of the chat.
-- @param user_id or null
-- @param conversation_id, message_id
-- @param content, plan, tools, tools_digest: of these tools, attachments: each null for none
-- @param erased the parts that it has lost, now too
-- @param was_content, was_erased as they were read; nothing changes if they are not the same any more. Users
--   may have written anything in place of the latter: that counts as unchanged
-- @returns {changed: true}; or {missing}; or {conflict}
create or replace function public.chat_change_message(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_message public.messages;
  v_shown jsonb; -- as it is read: users' long rows are cut
  v_erased jsonb;
  v_metadata jsonb := jsonb_strip_nulls(jsonb_build_object('plan', argument -> 'plan',
    'tools', argument -> 'tools', 'tools_digest', argument -> 'tools_digest',
    'attachments', argument -> 'attachments'));
begin
  perform public.chat_check_version(argument);
  perform 1 from public.conversations c where c.id = v_conversation
    and c.user_id is not distinct from (argument ->> 'user_id')::uuid for update;
  if not found then
    return jsonb_build_object('missing', true);
  end if;
  -- From here on, row level security decides.
  v_shown := public.chat_list_messages(
    argument || jsonb_build_object('ids', array[argument ->> 'message_id'])) -> 0;
  select * into v_message from public.messages m
    where m.id = (argument ->> 'message_id')::uuid and m.conversation_id = v_conversation for update;
  if v_shown is null or v_message.id is null then
    return jsonb_build_object('missing', true);
  end if;
  v_erased := coalesce(foreword.to_object(v_shown -> 'metadata') -> 'erased', '[]');
  if coalesce(v_shown ->> 'content', '') <> coalesce(argument ->> 'was_content', '')
    or (v_erased <> coalesce(argument -> 'was_erased', '[]') and v_erased::text
      ~ '^\[(\{"at": \d{1,15}, "isText": (true|false), "number": \d{1,15}\}(, )?)*\]$')
  then
    return jsonb_build_object('conflict', true);
  end if;
  if coalesce(argument ->> 'content', '') = '' and v_metadata = '{}' and not exists (
    select from public.messages m where m.conversation_id = v_conversation and m.parent_id = v_message.id
  ) and not exists (
    -- As long as a turn answers it, its reply will follow.
    select from public.turns t where t.parent_id = v_message.id and t.status in ('running', 'waiting')
  ) then
    update public.conversations set leaf_id = v_message.parent_id
      where id = v_conversation and leaf_id = v_message.id;
    delete from public.messages where id = v_message.id;
  else
    update public.messages m set content = coalesce(argument ->> 'content', ''),
        metadata = (foreword.to_object(m.metadata)
            - array['plan', 'tools', 'tools_digest', 'attachments', 'images_count'])
          || v_metadata || jsonb_build_object('is_edited', true, 'erased', argument -> 'erased')
      where m.id = v_message.id;
  end if;
  return jsonb_build_object('changed', true);
end $$;

-- Returns the conversation of an AI SDK chat: the one that was created for it, else the one whose id is
-- derived from the chat's. If that one belongs to another user, returns null: no user can block a chat by
-- taking its id.
-- @param conversation {id, user_id, chat_id}
create or replace function public.chat_find_chat(argument jsonb) returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_user uuid := coalesce(auth.uid(), (argument #>> '{conversation,user_id}')::uuid);
begin
  return coalesce(
    (select c.id from public.conversations c where c.chat_id = argument #>> '{conversation,chat_id}'
      and c.user_id is not distinct from v_user),
    case when not exists (select from public.conversations c where c.id = v_id
      and c.user_id is distinct from v_user) then v_id end);
end $$;

-- Finds a message by the id its client uses: the client's own id, the row's id or the turn's id.
-- @param conversation_id, id
-- @returns {id, parent_id, role}, or null; `id` is null for a reply in progress
create or replace function public.chat_find_message(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_text text := argument ->> 'id';
  v_id uuid;
  v_found jsonb;
begin
  select jsonb_build_object('id', m.id, 'parent_id', m.parent_id, 'role', m.role) into v_found
    from public.messages m
    where m.conversation_id = v_conversation and m.metadata ->> 'client_id' = v_text
    order by m.created_at desc limit 1;
  if v_found is null and v_text ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' then
    v_id := v_text::uuid;
    select jsonb_build_object('id', t.message_id, 'parent_id', t.parent_id, 'role', 'assistant') into v_found
      from public.turns t where t.id = v_id and t.conversation_id = v_conversation
        and (t.message_id is not null or t.status = 'running');
    if v_found is null then
      select jsonb_build_object('id', m.id, 'parent_id', m.parent_id, 'role', m.role) into v_found
        from public.messages m where m.conversation_id = v_conversation and m.id = v_id;
    end if;
  end if;
  return v_found;
end $$;

-- Finds where a path continues that need not start at its conversation's root.
-- @param conversation_id
-- @param path, late as in chat_save_messages
-- @param continue.mode
--   `leaf`: below the leaf.
--   `new`: below the leaf, unless the conversation knows the path's last message, or the reply `reply_id`.
--     Only system messages may come before that message.
--   `whole`: at the first message, if the conversation knows its id and its text is unchanged; else at the
--   root, if the conversation starts with it; else at the last message whose id is known; else below the
--     leaf.
-- @param continue.is_again whether a reply is regenerated
-- @param if_running since version 9: `branch` places a path that would go below a reply in progress below the
--   last message before it that no turn is still working on
-- @returns {parent: a message or null for the root, skip: how many messages of the path to leave out}; or
--   {running: the turn that answers the leaf, for which the path would have to wait}; or {missing_path}
create or replace function public.chat_find_place(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_path jsonb := argument -> 'path';
  v_count integer := jsonb_array_length(argument -> 'path');
  v_mode text := argument #>> '{continue,mode}';
  -- A conversation keeps the system messages that it began with, and no later ones before its newest message.
  v_first integer := case when v_mode = 'new' then greatest(v_count - 1, 0) else 0 end;
  v_is_again boolean := coalesce((argument #>> '{continue,is_again}')::boolean, false);
  v_leaf public.messages;
  v_known jsonb;
  v_is_same boolean;
  v_asked public.messages;
  v_turn uuid;
  v_reply uuid;
begin
  select m.* into v_leaf from public.conversations c join public.messages m on m.id = c.leaf_id
    and m.conversation_id = c.id
    where c.id = v_conversation;
  if v_leaf.id is null then -- rows of the old service, which had no leaf
    select * into v_leaf from public.messages m where m.conversation_id = v_conversation
      order by m.created_at desc, m.id desc limit 1;
  end if;
  if v_leaf.id is null then
    return '{"skip": 0}';
  end if;
  if v_mode <> 'leaf' then
    if argument #>> '{continue,reply_id}' is not null then
      v_known := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id',
        argument #>> '{continue,reply_id}'));
      if v_known ->> 'role' = 'assistant' then
        select * into v_asked from public.messages m where m.id = (v_known ->> 'parent_id')::uuid;
      elsif v_known is not null then
        select * into v_asked from public.messages m where m.id = (v_known ->> 'id')::uuid;
      end if;
    elsif v_count = 0 or v_is_again then
      select * into v_asked from public.messages m where m.id = case v_leaf.role when 'assistant'
        then v_leaf.parent_id else v_leaf.id end;
      if v_count > 0 and v_count = v_first + 1 and not exists (
        select from jsonb_array_elements_text(v_path #> array[v_first::text, 'digests']) d
        where v_asked.digest = sha256(coalesce((select p.digest from public.messages p
          where p.id = v_asked.parent_id), '') || decode(d, 'hex'))
      ) then
        v_asked := null;
      end if;
    end if;
    if v_count = 0 then
      return case when v_asked.id is null then '{"missing_path": true}'
        else jsonb_build_object('parent', v_asked.id, 'skip', 0) end;
    end if;
    if v_asked.id is not null and v_mode = 'new' then
      return jsonb_build_object('parent', v_asked.parent_id, 'skip', v_first);
    end if;
    v_known := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id',
      v_path #>> array[v_first::text, 'client_id']));
    if v_known ->> 'role' <> v_path #>> array[v_first::text, 'role'] then
      v_known := null;
    end if;
    v_is_same := exists (
      select from public.messages m, jsonb_array_elements_text(v_path #> array[v_first::text, 'digests']) d
      where m.id = (v_known ->> 'id')::uuid
        and m.digest = sha256(coalesce((select p.digest from public.messages p where p.id = m.parent_id), '')
          || decode(d, 'hex')));
    if not v_is_same and (v_mode = 'whole' or v_is_again) and exists (
      select from jsonb_array_elements_text(v_path #> array[v_first::text, 'digests']) d
        join public.messages m on m.conversation_id = v_conversation and m.digest = sha256(decode(d, 'hex'))
    ) then
      return jsonb_build_object('skip', v_first);
    end if;
    if v_known is not null then
      return jsonb_build_object('parent', v_known ->> 'parent_id', 'skip', v_first);
    end if;
    for v_place in reverse v_count - 1 .. v_first + 1 loop
      v_known := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id',
        v_path #>> array[v_place::text, 'client_id']));
      if v_known ->> 'role' = v_path #>> array[v_place::text, 'role'] then
        return jsonb_build_object('parent', v_known ->> 'parent_id', 'skip', v_place);
      end if;
    end loop;
  end if;
  select t.id into v_turn from public.turns t
    where t.conversation_id = v_conversation and t.status in ('running', 'waiting')
      -- A reply that a turn goes on with is the leaf while the turn runs.
      and (t.parent_id = v_leaf.id or (t.parent_id = v_leaf.parent_id and v_leaf.status is null
        and t.id::text = v_leaf.metadata ->> 'reply_of'))
    order by t.started_at desc limit 1;
  if v_turn is null then
    return jsonb_build_object('parent', v_leaf.id, 'skip', v_first);
  end if;
  if argument ->> 'if_running' = 'branch' and not coalesce((argument ->> 'late')::boolean, false) then
    return jsonb_build_object('parent', foreword.find_settled(v_conversation, v_leaf.id), 'skip', v_first);
  end if;
  -- A turn that has already begun, or whose model already got the client's messages, is not refused.
  if v_mode = 'whole' or coalesce((argument ->> 'late')::boolean, false) then
    v_reply := public.chat_hold_reply(jsonb_build_object('conversation_id', v_conversation, 'turn_id', v_turn,
      'parent_id', case when v_leaf.metadata ->> 'reply_of' = v_turn::text then v_leaf.parent_id
        else v_leaf.id end));
    return jsonb_build_object('parent', v_reply, 'skip', v_first);
  end if;
  return jsonb_build_object('running', v_turn);
end $$;

-- Finds the summaries of a user's paths by the digests of these paths: in whichever conversation, since
-- equal paths have equal summaries. Since version 9.
-- @param user_id or null
-- @param digests
-- @returns [{digest, text: null if there is none}]
create or replace function public.chat_find_summaries(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_become_caller(argument);
  -- Apart, so that each uses the index.
  if v_user is null then
    return coalesce((select jsonb_agg(jsonb_build_object('digest', d.digest, 'text', (
      select s.text from public.messages m join public.context_summaries s on s.message_id = m.id
        where m.user_id is null and m.digest = decode(d.digest, 'hex') limit 1)))
      from jsonb_array_elements_text(argument -> 'digests') d (digest)), '[]');
  end if;
  return coalesce((select jsonb_agg(jsonb_build_object('digest', d.digest, 'text', (
    select s.text from public.messages m join public.context_summaries s on s.message_id = m.id
      where m.user_id = v_user and m.digest = decode(d.digest, 'hex') limit 1)))
    from jsonb_array_elements_text(argument -> 'digests') d (digest)), '[]');
end $$;

-- Creates the row of a reply in progress, so that the client's next message can follow it. The turn's end
-- completes the row.
-- @param conversation_id, turn_id, parent_id
-- @param content optional: the part of the reply that the client has seen
-- @param metadata, created_at optional
-- @param digest optional: of `content`
-- @returns the row's id; null if the turn is not running, or answers another message
create or replace function public.chat_hold_reply(argument jsonb) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_turn public.turns;
  v_parent public.messages;
  v_digest bytea;
  v_id uuid;
begin
  select * into v_turn from public.turns t
    where t.id = (argument ->> 'turn_id')::uuid and t.conversation_id = (argument ->> 'conversation_id')::uuid
      and t.parent_id = (argument ->> 'parent_id')::uuid and t.status in ('running', 'waiting');
  if v_turn.id is null then
    return null;
  end if;
  select * into v_parent from public.messages m where m.id = v_turn.parent_id;
  v_digest := sha256(v_parent.digest
    || coalesce(decode(argument ->> 'digest', 'hex'), sha256(uuid_send(v_turn.id))));
  if exists (select from public.messages m where m.conversation_id = v_turn.conversation_id
    and m.digest = v_digest) then
    v_digest := sha256(v_digest || uuid_send(v_turn.id)); -- another reply begins with the same words
  end if;
  select m.id into v_id from public.messages m
    where m.conversation_id = v_turn.conversation_id and m.parent_id = v_turn.parent_id
      and m.role = 'assistant' and m.status is null
      and (m.id = v_turn.id or m.metadata ->> 'reply_of' = v_turn.id::text) limit 1;
  if v_id is null then
    insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, digest,
      created_at)
      values (
        -- A message of another conversation may have the id that a client chose for its turn.
        case when exists (select from public.messages m where m.id = v_turn.id) then gen_random_uuid()
          else v_turn.id end,
        v_turn.conversation_id, v_parent.user_id, v_parent.id, 'assistant',
          coalesce(argument ->> 'content', ''),
        coalesce(argument -> 'metadata', '{}') || jsonb_build_object('reply_of', v_turn.id), v_digest,
        coalesce((argument ->> 'created_at')::timestamptz, foreword.next_time(v_turn.conversation_id))
      )
      returning id into v_id;
  end if;
  return v_id;
end $$;

-- Returns the messages of a conversation, oldest first: the path to its leaf, or all of them. Text of more
-- than 4 MiB, and metadata of more than 256 KiB (6 MiB with tool calls), which no server writes, are cut.
-- @param user_id or null
-- @param conversation_id
-- @param is_tree whether to return all messages, not only the path
-- @param turn_id in place of the conversation, since version 10: the path that ends in the message which this
--   turn of the user answers
-- @param limit or null
-- @param before a message's id: only messages before it
-- @param after with `is_tree`, a message's id or null: only messages after it, the oldest of them
-- @param ids these messages, in this order, in place of a page
-- @param max_bytes how many bytes the messages may hold, at least one message; null returns them all
-- @param only_ids with `max_bytes`: returns ids in the order in which they were found
-- @returns {messages or ids, more: whether there are others before (after) them}; without `max_bytes` a list
create or replace function public.chat_list_messages(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_limit integer := (argument ->> 'limit')::integer;
  v_max_bytes bigint := (argument ->> 'max_bytes')::bigint;
  v_is_bounded boolean := argument ->> 'max_bytes' is not null;
  v_is_found boolean := coalesce(jsonb_typeof(argument -> 'ids') = 'array', false);
  v_is_tree boolean := coalesce((argument ->> 'is_tree')::boolean, false);
  v_is_ascending boolean := v_is_found or argument ? 'after';
  v_edge public.messages; -- where the page begins
  v_item public.messages; -- the message below it
  v_next uuid;
  v_is_sound boolean := false; -- whether the path is known to end
  v_ids uuid[] := '{}';
  v_kept integer := 0;
  v_size bigint;
  v_more boolean := false;
  v_nothing jsonb := case when not v_is_bounded then '[]' when (argument ->> 'only_ids')::boolean
    then '{"ids": [], "more": false}'
    else '{"messages": [], "more": false}' end;
  v_messages jsonb;
begin
  perform public.chat_become_caller(argument);
  if argument ->> 'turn_id' is not null then
    select t.conversation_id, t.parent_id into v_conversation, v_next from public.turns t
      where t.id = (argument ->> 'turn_id')::uuid and t.user_id is not distinct from v_user;
  else
    select c.leaf_id into v_next from public.conversations c where c.id = v_conversation
      and c.user_id is not distinct from v_user;
  end if;
  if not found then
    return v_nothing;
  end if;
  if coalesce(argument ->> 'before', argument ->> 'after') is not null and not v_is_found then
    select * into v_edge from public.messages m
      where m.id = coalesce(argument ->> 'before', argument ->> 'after')::uuid
        and m.conversation_id = v_conversation;
    if v_edge.id is null then
      return v_nothing;
    end if;
    v_next := v_edge.parent_id;
  end if;

  if v_is_found then
    v_ids := array(select value::uuid from jsonb_array_elements_text(argument -> 'ids'));
  elsif v_is_tree and v_is_ascending then
    v_ids := array(
      select m.id from public.messages m
      where m.conversation_id = v_conversation
        and (v_edge.id is null or (m.created_at, m.id) > (v_edge.created_at, v_edge.id))
      order by m.created_at, m.id limit v_limit + 1);
  elsif v_is_tree then
    v_ids := array(
      select m.id from public.messages m
      where m.conversation_id = v_conversation
        and (v_edge.id is null or (m.created_at, m.id) < (v_edge.created_at, v_edge.id))
      order by m.created_at desc, m.id desc limit v_limit + 1);
  else
    v_item := v_edge;
    while v_next is not null and (v_limit is null or cardinality(v_ids) <= v_limit) loop
      select * into v_edge from public.messages m where m.id = v_next;
      exit when v_edge.id is null or v_edge.conversation_id <> v_conversation;
      -- Users may make a circle of their rows, in which some message is below one that is not older. The path
      -- ends there, unless the rows above it end.
      if v_item.id is not null and not v_is_sound
        and (v_edge.created_at, v_edge.id) >= (v_item.created_at, v_item.id) then
        with recursive path as (
          select v_edge.id as id, v_edge.parent_id as parent_id
          union
          select m.id, m.parent_id from path p
            cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
        ), walked as (select id, parent_id from path limit 100000)
        select count(*) < 100000 and bool_or(above.id is null) into v_is_sound
          from walked w left join walked above on above.id = w.parent_id;
        exit when not v_is_sound;
      end if;
      v_ids := v_ids || v_next;
      v_item := v_edge;
      v_next := v_edge.parent_id;
    end loop;
  end if;
  if cardinality(v_ids) > v_limit then
    v_more := true;
    v_ids := v_ids[1:v_limit];
  end if;
  if v_is_bounded and coalesce((argument ->> 'only_ids')::boolean, false) then
    return jsonb_build_object('ids', v_ids, 'more', v_more);
  end if;

  if v_is_bounded then
    foreach v_next in array v_ids loop
      select least(octet_length(coalesce(m.content, '')), 4194304)
          + case when pg_column_size(m.metadata) > 6291456 then 0
            else coalesce(octet_length(m.metadata::text), 0) end
        into v_size from public.messages m where m.id = v_next;
      exit when v_kept > 0 and v_size > v_max_bytes;
      v_max_bytes := v_max_bytes - coalesce(v_size, 0);
      v_kept := v_kept + 1;
    end loop;
    v_more := v_more or v_kept < cardinality(v_ids);
    v_ids := v_ids[1:v_kept];
  end if;
  v_messages := coalesce((
    select jsonb_agg(jsonb_build_object(
      'id', m.id, 'parent_id', m.parent_id, 'role', m.role,
      'content', case when octet_length(m.content) > 4194304 then left(m.content, 1048576) else m.content end,
      'metadata', case when pg_column_size(m.metadata) > 6291456
        or octet_length((m.metadata -> 'tools')::text) > 6291456
        or octet_length((case jsonb_typeof(m.metadata) when 'object' then m.metadata - 'tools'
          else m.metadata end)::text) > 262144
        then '{"is_cut": true}'::jsonb else m.metadata end,
      'status', m.status, 'created_at', m.created_at) order by case when v_is_ascending then l.place
        else - l.place end)
    from unnest(v_ids) with ordinality as l (id, place)
    cross join lateral (select * from public.messages message where message.id = l.id limit 1) m
    where m.conversation_id = v_conversation
  ), '[]');
  return case when v_is_bounded then jsonb_build_object('messages', v_messages, 'more', v_more)
    else v_messages end;
end $$;

-- Returns the newest messages of a path, oldest first, up to `max_chars` of text and tool calls, and at
-- least one.
-- @param parent_id the path's last message
-- @param max_chars
-- @param with_summaries since version 9, whether to return summaries, too
-- @returns [{id, role, content, path_bytes: id and bytes of the path before it since version 9, tools: a
--   reply's, as foreword.trim_tools returns them, attachments: as its metadata lists them, if it has any,
--   summary: of the path up to the message, if it is one of the 32 newest of its conversation}]
create or replace function public.chat_list_path(argument jsonb) returns jsonb
language sql stable set search_path = '' as $$
  with recursive path as (
    select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
      case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end as attachments, 1 as place,
      length(coalesce(m.content, '')) + length(coalesce(t.tools::text, '')) as chars
      from public.messages m
        cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
          then foreword.trim_tools(m.metadata) end as tools offset 0) t
      where m.id = (argument ->> 'parent_id')::uuid
    union all
    select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
      case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end, p.place + 1,
      p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
      from path p
        cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
        cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
          then foreword.trim_tools(m.metadata) end as tools offset 0) t
      where p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
        <= (argument ->> 'max_chars')::integer
        and p.place < 20000
  ), summaries as (
    select coalesce(jsonb_object_agg(newest.message_id, newest.text), '{}') as texts from (
      select s.message_id, s.text from public.context_summaries s
        where coalesce((argument ->> 'with_summaries')::boolean, false)
          and s.conversation_id = (select m.conversation_id from public.messages m
            where m.id = (argument ->> 'parent_id')::uuid)
        order by s.created_at desc limit 32) newest
  )
  select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'role', p.role,
    'content', coalesce(p.content, ''), 'path_bytes', p.path_bytes)
    || case when p.attachments is null then '{}' else jsonb_build_object('attachments', p.attachments) end
    || case when p.tools is null then '{}' else jsonb_build_object('tools', p.tools) end
    || case when s.texts ? p.id::text then jsonb_build_object('summary', s.texts -> p.id::text) else '{}' end
    order by p.place desc), '[]') from path p cross join summaries s
$$;

-- Returns a page of an AI SDK chat, since version 10: the newest messages of its shown path, the turns of its
-- replies, and the turn that answers its last message without a message of its own.
-- @param user_id or null
-- @param conversation_id, chat_id as in chat_find_newest_turn
-- @param limit, max_bytes as in chat_list_messages
-- @param before the id by which the client knows a message: only messages before it; or null
-- @returns {conversation_id: null if there is none, messages, more: as chat_list_messages returns them,
--   turns: [{message_id, id, first_id: of the reply's first turn, if this one goes on with its reply, status,
--   model, attempts, context, finish_reason, usage, error_code, started_at, duration_ms, first_text_ms,
--   calls: [{type, data}] of requests and responses about approvals, and of calls with a title}],
--   open: {turn_id, replaces_last: whether it makes the last reply again} or null}
create or replace function public.chat_read_chat(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_before text := argument ->> 'before';
  v_conversation uuid;
  v_found jsonb;
  v_page jsonb := '{"messages": [], "more": false}';
  v_turns jsonb;
  v_last jsonb;
  v_open public.turns;
begin
  perform public.chat_check_version(argument);
  v_conversation := public.chat_find_chat(jsonb_build_object('conversation', jsonb_build_object(
    'id', argument -> 'conversation_id', 'user_id', argument -> 'user_id', 'chat_id', argument -> 'chat_id')));
  if v_conversation is not null and v_before is not null then
    v_found := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id', v_before));
    if v_found is null and not exists (select from public.turns t
      where t.conversation_id = v_conversation and t.id::text = lower(v_before)) then
      v_conversation := null;
    end if;
  end if;
  -- From here on, row level security decides.
  if v_conversation is not null then
    v_page := public.chat_list_messages(argument
      || jsonb_build_object('conversation_id', v_conversation, 'before', v_found -> 'id'));
  end if;
  v_last := v_page -> 'messages' -> -1;

  select coalesce(jsonb_agg(jsonb_build_object('message_id', p.message -> 'id', 'id', t.id,
      'first_id', earlier.ids[1], 'status', t.status, 'model', t.model, 'attempts', t.attempts,
      'context', t.context, 'finish_reason', t.finish_reason, 'usage', t.usage, 'error_code', t.error_code,
      'started_at', t.started_at, 'duration_ms', t.duration_ms, 'first_text_ms', t.first_text_ms,
      'calls', (
        select coalesce(jsonb_agg(jsonb_build_object('type', e.type, 'data', case e.type when 'tool-call'
            then jsonb_build_object('callId', e.data -> 'callId', 'title', e.data -> 'title') else e.data end)
          order by e.turn_id = t.id, e.position, e.ordinal), '[]')
        from public.turn_events e
        where e.turn_id = any (earlier.ids || t.id) and p.message #> '{metadata,tools}' is not null
          and (e.type in ('approval-request', 'approval-response')
            or (e.type = 'tool-call' and e.data ->> 'title' is not null))
      ))), '[]') into v_turns
    from jsonb_array_elements(v_page -> 'messages') as p (message)
    cross join lateral (
      select * from (
        select * from public.turns where message_id = (p.message ->> 'id')::uuid
        union all
        select * from public.turns where p.message ->> 'status' is null
          and parent_id = (p.message ->> 'parent_id')::uuid and id::text = p.message #>> '{metadata,reply_of}'
      ) answering
      where answering.conversation_id = v_conversation and answering.user_id is not distinct from v_user
      order by answering.started_at desc limit 1
    ) t
    cross join lateral (
      -- As in chat_read_turn.
      with recursive chain as (
        select (p.message ->> 'id')::uuid as id, null::timestamptz as created_at, 0 as depth
          where p.message #> '{metadata,tools}' is not null
        union all
        select e.id, e.created_at, c.depth + 1 from chain c join public.messages e
          on e.conversation_id = v_conversation and e.parent_id = (p.message ->> 'parent_id')::uuid
            and e.metadata ->> 'superseded_by' = c.id::text
          where c.depth < 100 and exists (select from public.turns started where started.id = e.id)
      )
      select coalesce(array_agg(c.id order by c.depth desc, c.created_at), '{}') as ids from chain c
        where c.depth > 0
    ) earlier
    where p.message ->> 'role' = 'assistant';

  if v_before is null and v_last is not null then
    select * into v_open from public.turns t
      where t.conversation_id = v_conversation and t.user_id is not distinct from v_user
        and ((t.parent_id = (v_last ->> 'id')::uuid and (t.status in ('running', 'waiting') or t.message_id is null))
          -- Another reply to the same message is being made.
          or (v_last ->> 'role' = 'assistant' and t.parent_id = (v_last ->> 'parent_id')::uuid
            and t.status in ('running', 'waiting') and not exists (
              select from jsonb_array_elements(v_turns) shown where shown ->> 'id' = t.id::text)))
      order by t.started_at desc limit 1;
  end if;
  return v_page || jsonb_build_object('conversation_id', v_conversation, 'turns', v_turns,
    'open', case when v_open.id is not null then jsonb_build_object('turn_id', v_open.id,
      'replaces_last', v_open.parent_id is distinct from (v_last ->> 'id')::uuid) end);
end $$;

-- Returns the path that ends in a message, for a turn that continues from there: the newest messages, oldest
-- first, up to `max_chars` of text and at least one.
-- @param user_id or null
-- @param conversation_id or null, if `parent_id` is given; chat_id or null
-- @param parent_id a message's id; null for the leaf; or a turn's: its reply or, since version 10, if it has
--   none, the message that it answered
-- @param max_chars
-- @param with_summaries since version 9, as in chat_list_path
-- @returns {conversation_id, digest: of the path, or null for an empty one, parent_digest: of the path
--   without its last message, or null, messages: as chat_list_path returns them};
--   or {missing}; or {running: the turn whose reply is `parent_id`}
create or replace function public.chat_read_path(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_conversation public.conversations;
  v_parent public.messages;
  v_turn public.turns;
  v_id uuid;
  v_summaries jsonb := '{}'; -- by the last message that each covers
begin
  perform public.chat_become_caller(argument);
  if argument ->> 'chat_id' is not null then
    select c.id into v_id from public.conversations c where c.chat_id = argument ->> 'chat_id'
      and c.user_id is not distinct from v_user;
  end if;
  if argument ->> 'parent_id' is not null then
    select * into v_parent from public.messages m where m.id = (argument ->> 'parent_id')::uuid;
    if v_parent.id is null then
      select * into v_turn from public.turns t where t.id = (argument ->> 'parent_id')::uuid
        and t.user_id is not distinct from v_user;
      select * into v_parent from public.messages m
        where m.id = coalesce(v_turn.message_id, v_turn.parent_id);
    else
      select * into v_turn from public.turns t where t.id = v_parent.id
        and t.user_id is not distinct from v_user;
    end if;
    if v_turn.status in ('running', 'waiting') then
      return jsonb_build_object('running', v_turn.id);
    end if;
  end if;
  select * into v_conversation from public.conversations c
    where c.id = coalesce(v_id, (argument ->> 'conversation_id')::uuid, v_parent.conversation_id)
      and c.user_id is not distinct from v_user;
  if argument ->> 'parent_id' is null then
    select * into v_parent from public.messages m where m.id = v_conversation.leaf_id
      and m.conversation_id = v_conversation.id;
  elsif v_parent.conversation_id is distinct from v_conversation.id then
    return jsonb_build_object('missing', true);
  end if;
  -- Rows of the old service have no digest until their conversation is used.
  if v_conversation.id is null or (v_parent.id is not null and v_parent.digest is null) then
    return jsonb_build_object('missing', true);
  end if;
  if (argument ->> 'with_summaries')::boolean then
    select coalesce(jsonb_object_agg(s.message_id, s.text), '{}') into v_summaries from (
      select message_id, text from public.context_summaries where conversation_id = v_conversation.id
        order by created_at desc limit 32) s;
  end if;
  -- As in chat_list_path, which users may not call.
  return jsonb_build_object('conversation_id', v_conversation.id, 'digest', encode(v_parent.digest, 'hex'),
    'parent_digest', (select encode(p.digest, 'hex') from public.messages p where p.id = v_parent.parent_id),
    'messages', coalesce((
    with recursive path as (
      select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
        case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end as attachments, 1 as place,
        length(coalesce(m.content, '')) + length(coalesce(t.tools::text, '')) as chars
        from (select id, parent_id, role, metadata, path_bytes, case when octet_length(content) > 4194304
          then left(content, 1048576) else content end as content
          from public.messages where id = v_parent.id) m
          cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
            then foreword.trim_tools(m.metadata) end as tools offset 0) t
      union all
      select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
        case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end, p.place + 1,
        p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
        from path p
          cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
          cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
            and octet_length(m.content) <= 4 * (argument ->> 'max_chars')::bigint
            then foreword.trim_tools(m.metadata) end as tools offset 0) t
        where case when octet_length(m.content) > 4 * (argument ->> 'max_chars')::bigint then false
            else p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
              <= (argument ->> 'max_chars')::integer and p.place < 20000 end
    )
    select jsonb_agg(jsonb_build_object('id', p.id, 'role', p.role,
      'content', coalesce(p.content, ''), 'path_bytes', p.path_bytes)
      || case when p.attachments is null then '{}' else jsonb_build_object('attachments', p.attachments) end
      || case when p.tools is null then '{}' else jsonb_build_object('tools', p.tools) end
      || case when v_summaries ? p.id::text then jsonb_build_object('summary', v_summaries -> p.id::text)
        else '{}' end
      order by p.place desc) from path p
    -- Users may make a circle of their rows: each row is listed once.
    where p.place < coalesce((
      select min(r.place)
        from (select w.place, row_number() over (partition by w.id order by w.place) as nth from path w) r
        where r.nth = 2), 2147483647)
  ), '[]'));
end $$;

-- Adds to a conversation the messages of a path that it does not hold yet. The other functions call it as the
-- service. Users may call it with their own token: row level security then decides, also in its parts.
-- @param conversation {id, is_named, must_own: whether unowned conversations count as another user's, title,
--   user_id, age_ms: since the turn began, chat_id: as in chat_find_chat}
-- @param anchor the digest of the path before its first message here, or null
-- @param path [{id, role, content, metadata, status?, digests: the likeliest first, sent_id: of one of our
--   replies, or null, client_id: the client's id for it, after: a reply without text that comes before it,
--   tools_digest: of the calls in `metadata.tools` that the client runs, if there are any, earlier_digests:
--   of the reply without the results of its last calls, the likeliest first, if it has some,
--   earlier_tools_digest: of its calls then}]
-- @param candidates digests of paths that end in a reply, the longest first
-- @param addresses {id: content digest} of rows of the old service
-- @param step_bytes how much of `unaddressed` to return at most, oldest first, once `addresses` are in the
--   tree
-- @param late whether it waited in a journal: a conversation that has gone on meanwhile keeps its leaf
-- @param continue for a path that need not start at the root: as in chat_find_place, and
--   {must_exist, max_chars, with_summaries: since version 9, as in chat_list_path}
-- @param words as in chat_begin_turn; only from the service: users get a permission error
-- @returns {conversation_id, message_id: the last message, digest, history: for `continue`, the messages
--   before the path as chat_list_path returns them}; or, with nothing written, one of
--   {missing} the path does not start at the root, and its anchor is not stored
--   {deleted} the conversation was deleted since the turn began
--   {unaddressed} rows of the old service, which must come back with their content digests first
--   {missing_path}, {running} as in chat_find_place
create or replace function public.chat_save_messages(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_is_late boolean := coalesce((argument ->> 'late')::boolean, false);
  v_continues boolean := coalesce(jsonb_typeof(argument -> 'continue') = 'object', false);
  v_said timestamptz := clock_timestamp() - (argument #>> '{conversation,age_ms}')::bigint * interval '1 millisecond';
  v_result jsonb;
  v_conversation uuid;
  v_owner uuid;
  v_parent uuid;
  v_digest bytea := '';
  v_skip integer := 0;
  v_history jsonb;
  v_message uuid;
  v_fork uuid;
  v_is_known boolean;
begin
  perform foreword.check_version(argument);
  v_result := foreword.start_conversation(argument);
  if v_result is not null then
    return v_result;
  end if;
  v_result := foreword.find_conversation(argument);
  if not v_result ? 'id' then
    return v_result;
  end if;
  v_conversation := (v_result ->> 'id')::uuid;
  v_owner := (v_result ->> 'user_id')::uuid;

  if exists (select from public.messages where conversation_id = v_conversation and digest is null) then
    v_result := foreword.adopt_old_rows(v_conversation, v_owner, argument);
    if v_result is not null then
      return v_result;
    end if;
  end if;

  if argument ->> 'anchor' is not null then
    select m.id, m.digest into v_parent, v_digest from public.messages m
      where m.conversation_id = v_conversation and m.digest = decode(argument ->> 'anchor', 'hex');
    if v_parent is null then
      return jsonb_build_object('missing', true);
    end if;
  elsif v_continues then
    v_result := public.chat_find_place(argument || jsonb_build_object('conversation_id', v_conversation));
    if v_result ?| array['running', 'missing_path'] then
      return v_result;
    end if;
    v_skip := (v_result ->> 'skip')::integer;
    select m.id, m.digest into v_parent, v_digest from public.messages m
      where m.id = (v_result ->> 'parent')::uuid;
    v_digest := coalesce(v_digest, '');
    if argument #>> '{continue,max_chars}' is not null then
      v_history := public.chat_list_path(jsonb_build_object('parent_id', v_parent, 'max_chars',
        argument #> '{continue,max_chars}', 'with_summaries', argument #> '{continue,with_summaries}'));
    end if;
  end if;

  v_result := foreword.append_path(v_conversation, v_owner, v_parent, v_digest, v_skip, argument);
  v_message := (v_result ->> 'message_id')::uuid;
  v_fork := (v_result ->> 'fork_id')::uuid;
  v_is_known := (v_result ->> 'is_known')::boolean;
  update public.conversations set
      leaf_id = case when not v_is_late or leaf_id is null or updated_at <= v_said
        or (not v_is_known and leaf_id = v_fork)
          or leaf_id = (select m.parent_id from public.messages m where m.id = v_message)
          or (v_continues and not v_is_known
            and leaf_id = (select m.parent_id from public.messages m where m.id = v_fork))
        then v_message else leaf_id end,
      updated_at = case when v_is_late then greatest(updated_at, v_said) else clock_timestamp() end
    where id = v_conversation;
  if argument #>> '{words,message}' is not null then
    perform foreword.store_words(v_message, argument #>> '{path,-1,content}', argument -> 'words');
  end if;
  return jsonb_build_object('conversation_id', v_conversation, 'message_id', v_message, 'digest',
    v_result -> 'digest')
    || case when v_history is null then '{}' else jsonb_build_object('history', v_history) end;
end $$;

-- Stores the summary of the path that ends in a message, unless it has one, or is gone. Since version 9.
-- @param message_id
-- @param text null to store that of an equal path of the same user, if there is one
-- @param model which wrote it, or null
-- @returns {text: the stored summary, or null}
create or replace function public.chat_save_summary(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_message public.messages;
  v_text text := argument ->> 'text';
  v_model text := argument ->> 'model';
  v_equal uuid;
begin
  perform public.chat_check_version(argument);
  select * into v_message from public.messages where id = (argument ->> 'message_id')::uuid for key share;
  if v_text is null and v_message.user_id is null then
    select s.message_id into v_equal from public.messages m join public.context_summaries s
      on s.message_id = m.id where m.user_id is null and m.digest = v_message.digest limit 1;
  elsif v_text is null then
    select s.message_id into v_equal from public.messages m join public.context_summaries s
      on s.message_id = m.id where m.user_id = v_message.user_id and m.digest = v_message.digest limit 1;
  end if;
  if v_equal is not null then
    select s.text, s.model into v_text, v_model from public.context_summaries s where s.message_id = v_equal;
  end if;
  if v_message.id is not null and v_text is not null then
    insert into public.context_summaries (message_id, conversation_id, text, model)
      values (v_message.id, v_message.conversation_id, v_text, v_model)
      on conflict (message_id) do nothing;
  end if;
  return jsonb_build_object('text',
    (select s.text from public.context_summaries s where s.message_id = v_message.id));
end $$;

-- Stores a user's answers to a waiting turn's requests for approval. The last one makes the turn run in the
-- process that brings it. Repeating the same answers is harmless.
-- @param turn_id, user_id or null
-- @param answers [{approval_id, is_approved, reason}]
-- @param owner the id of the process; claim: an id of this call, the same if it is repeated
-- @returns {claimed: as chat_claim_waiting returns it}; {pending: [ids of approvals that are still open]};
--   or, with nothing stored, {missing}, {not_waiting: the turn's status; stopped if it is about to be},
--   {unknown: an approval's id}, {settled: one that was answered differently}, {expired: one that came too
--   late}
create or replace function public.chat_answer_approvals(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
  v_wait public.turn_waits;
  v_answer record;
  v_settled text;
  v_new jsonb := '[]';
begin
  perform public.chat_check_version(argument);
  select * into v_turn from public.turns where id = (argument ->> 'turn_id')::uuid
    and user_id is not distinct from (argument ->> 'user_id')::uuid for update;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  end if;
  select * into v_wait from public.turn_waits where turn_id = v_turn.id;
  if v_turn.status = 'running' and v_wait.claim = (argument ->> 'claim')::uuid then
    return foreword.claim_turn(v_turn.id, argument);
  end if;
  for v_answer in
    select a.approval_id as id, case when a.is_approved then 'approved' else 'denied' end as decision, a.reason
      from jsonb_to_recordset(argument -> 'answers') as a (approval_id text, is_approved boolean, reason text)
  loop
    if not exists (select from public.turn_events e where e.turn_id = v_turn.id
      and e.type = 'approval-request' and e.data ->> 'approvalId' = v_answer.id) then
      -- The requests of a turn that runs may not be saved yet.
      return case v_turn.status when 'running' then jsonb_build_object('not_waiting', 'running')
        else jsonb_build_object('unknown', v_answer.id) end;
    end if;
    v_settled := coalesce(
      (select e.data ->> 'decision' from public.turn_events e where e.turn_id = v_turn.id
        and e.type = 'approval-response' and e.data ->> 'approvalId' = v_answer.id limit 1),
      (select n ->> 'decision' from jsonb_array_elements(v_new) n where n ->> 'approval_id' = v_answer.id));
    if v_settled is null then
      v_new := v_new || jsonb_build_object('approval_id', v_answer.id, 'decision', v_answer.decision,
        'reason', v_answer.reason);
    elsif v_settled <> v_answer.decision then
      return jsonb_build_object(case v_settled when 'expired' then 'expired' else 'settled' end, v_answer.id);
    end if;
  end loop;
  if v_new <> '[]' and (v_turn.status <> 'waiting' or v_turn.stop_requested) then
    return jsonb_build_object('not_waiting',
      case v_turn.status when 'waiting' then 'stopped' else v_turn.status end);
  elsif v_new <> '[]' and v_wait.expires_at <= clock_timestamp() then
    return jsonb_build_object('expired', v_new #>> '{0,approval_id}');
  end if;
  perform foreword.settle_approvals(v_turn.id, v_new);
  v_new := foreword.list_pending_approvals(v_turn.id);
  if v_turn.status = 'waiting' and not v_turn.stop_requested and v_new = '[]' then
    return foreword.claim_turn(v_turn.id, argument);
  end if;
  return jsonb_build_object('pending', v_new);
end $$;

-- Begins a turn: stores its messages, and the turn as running. Repeating the same begin is harmless.
-- @param as in chat_save_messages
-- @param extends the reply that the turn goes on with: as in foreword.extend_reply, or null
-- @param turn {id, model, started_at, owner, idempotency_key, request_digest, estimate: {input_tokens,
--   output_tokens, since version 9 input_price, output_price: of a million tokens, absent if unknown},
--   key_name: since version 9, the API key whose budget it counts in, or null; request: since version 10, the
--   parts of the request that its wire repeats, or null}
-- @param allowance null for no limits, or {subject, over: a limit that is known to be reached, or null,
--   concurrent_turns, tokens_per_day: each null for no limit; since version 9 also cost_per_day, and
--   key_cost_per_day of the API key}
-- @param attachments [{id, size_bytes}] that its messages hold; null for none
-- @param max_attachment_bytes of all attachments of a user; null for no limit
-- @param if_running since version 9, for a conversation in which turns of its user run or wait: `reject` and
--   `stop` return them as {running}; `branch` begins beside them, as in chat_find_place; null: as the path is
-- @param words of its last message and of a new conversation's title, as in foreword.store_words; absent if
--   a server is to read them later
-- @param check_only writes nothing, and returns {free: true} if the turn could begin
-- @returns what chat_save_messages returns; or, with nothing written, one of
--   {taken: {turn_id, request_digest}} the key belongs to another turn of the last 24 hours. A late begin is
--     stored without its key instead: that turn has already been answered.
--   {exists} another turn has this id
--   {deleted} as in chat_save_messages; since version 10 also if the turn itself was deleted since it began
--   {running} the turn would continue from a leaf that this turn of the same user is still answering. For
--     `reject` and `stop` also {turns}: all that run or wait, newest first
--   {foreign} the named conversation belongs to another user
--   {limited: requests, concurrent-turns, tokens-per-day, cost-per-day or key-cost-per-day, tokens_left or
--     cost_left: today's}
--   {full} its user would have more than `max_attachment_bytes`
--   With `attachments` the result also has {attachments}, as foreword.find_attachments returns it; of a turn
--   with limits per day, since version 9, {left}, as chat_find_limit returns it.
create or replace function public.chat_begin_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument #>> '{turn,id}')::uuid;
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_key text := argument #>> '{turn,idempotency_key}';
  v_started timestamptz := (argument #>> '{turn,started_at}')::timestamptz;
  v_turn public.turns;
  v_limited jsonb := '{}';
  v_saved jsonb;
  v_is_late boolean := coalesce((argument ->> 'late')::boolean, false);
  v_has_attachments boolean := coalesce(jsonb_typeof(argument -> 'attachments') = 'array', false);
  v_history_tokens integer := 0;
  v_running jsonb;
  v_estimate jsonb := nullif(argument #> '{turn,estimate}', 'null');
begin
  perform public.chat_check_version(argument);
  -- One begin at a time with an id, so that the second finds the first.
  perform pg_advisory_xact_lock(hashtextextended(format('foreword turn %s', v_id), 0));
  if v_key is not null then
    -- One begin at a time under a key, so that the second finds the first.
    perform pg_advisory_xact_lock(hashtextextended(format('foreword key %s %s', v_user, v_key), 0));
    select * into v_turn from public.turns
      where idempotency_key = v_key and user_id is not distinct from v_user
        and (id <> v_id or started_at <> v_started);
    if v_turn.started_at < clock_timestamp() - interval '24 hours' then
      update public.turns set idempotency_key = null where id = v_turn.id;
    elsif v_turn.id is not null and coalesce((argument ->> 'late')::boolean, false) then
      v_key := null;
    elsif v_turn.id is not null then
      return jsonb_build_object('taken', jsonb_build_object(
        'turn_id', v_turn.id, 'request_digest', encode(v_turn.request_digest, 'hex')));
    end if;
  end if;
  select * into v_turn from public.turns where id = v_id;
  if found then
    -- If two processes get the same id in the same millisecond, one of them has it. A begin that waited may
    -- come from the journal of a process that is gone.
    if v_turn.started_at is distinct from v_started or v_turn.user_id is distinct from v_user
      or (not v_is_late and v_turn.owner::text <> argument #>> '{turn,owner}')
      or (v_is_late and argument ? 'owners' and not argument -> 'owners' ? v_turn.owner::text)
    then
      return jsonb_build_object('exists', true);
    end if;
    return jsonb_build_object('conversation_id', v_turn.conversation_id, 'message_id', v_turn.parent_id,
      'digest', coalesce((select encode(m.digest, 'hex') from public.messages m
        where m.id = v_turn.parent_id), ''))
      || case when v_has_attachments then foreword.find_attachments(argument) else '{}' end;
  end if;
  if exists (
    select from public.deleted_turns d where d.id = v_id and d.user_id is not distinct from v_user
      and d.deleted_at >= clock_timestamp()
        - (argument #>> '{conversation,age_ms}')::bigint * interval '1 millisecond'
  ) then
    return jsonb_build_object('deleted', true);
  end if;
  -- The conditions without a query come first, so that most turns need no plan here.
  if (argument #>> '{conversation,is_named}')::boolean and (argument #>> '{conversation,must_own}')::boolean
    and not v_is_late and argument #>> '{conversation,chat_id}' is null
    and not coalesce((argument #>> '{continue,must_exist}')::boolean, false)
  then
    if exists (select from public.conversations c
      where c.id = (argument #>> '{conversation,id}')::uuid and c.user_id is distinct from v_user)
    then
      return jsonb_build_object('foreign', true);
    end if;
  end if;
  if argument ->> 'if_running' in ('reject', 'stop') and not v_is_late then
    -- Before the limits: a turn that is stopped does not count.
    v_running := foreword.find_running(argument);
    if v_running is not null then
      return v_running;
    end if;
  end if;
  if jsonb_typeof(argument -> 'allowance') = 'object'
    and not coalesce((argument ->> 'late')::boolean, false) then
    v_limited := public.chat_find_limit(argument);
    if v_limited ? 'limited' then
      return v_limited;
    end if;
  end if;
  if v_has_attachments and not v_is_late and foreword.exceeds_attachments(argument) then
    return jsonb_build_object('full', true);
  end if;
  if coalesce((argument ->> 'check_only')::boolean, false) then
    return jsonb_build_object('free', true);
  end if;
  if jsonb_typeof(argument -> 'continue') = 'object' and v_limited ? 'left' then
    -- The messages before the path count too, and are known once the path's place is.
    begin
      v_saved := public.chat_save_messages(argument);
      v_history_tokens := octet_length(coalesce(v_saved ->> 'history', '')) / 4;
      v_estimate := jsonb_set(v_estimate, '{input_tokens}',
        to_jsonb((v_estimate ->> 'input_tokens')::bigint + v_history_tokens));
      v_limited := public.chat_find_limit(jsonb_set(argument, '{turn,estimate}', v_estimate));
      if v_limited ? 'limited' then
        raise exception 'limited' using errcode = 'FWLIM';
      end if;
    exception when sqlstate 'FWLIM' then
      return v_limited;
    end;
  else
    v_saved := public.chat_save_messages(argument);
  end if;
  if v_saved ? 'message_id' then
    insert into public.turns
        (id, conversation_id, user_id, parent_id, model, started_at, owner, idempotency_key, request_digest,
          estimate, subject, key_name, request)
      values (
        v_id, (v_saved ->> 'conversation_id')::uuid, v_user, (v_saved ->> 'message_id')::uuid,
          argument #>> '{turn,model}',
        v_started, (argument #>> '{turn,owner}')::uuid, v_key,
          decode(argument #>> '{turn,request_digest}', 'hex'),
        v_estimate, argument #>> '{allowance,subject}', argument #>> '{turn,key_name}',
          nullif(argument #> '{turn,request}', 'null')
      )
      on conflict (id) do nothing;
    if argument #>> '{turn,key_name}' is not null then
      perform foreword.count_cost(argument #>> '{turn,key_name}', (v_started at time zone 'UTC')::date,
        foreword.to_cost(v_estimate, v_estimate));
    end if;
    if jsonb_typeof(argument -> 'extends') = 'object' then
      perform foreword.extend_reply(v_id, (v_saved ->> 'conversation_id')::uuid,
        (v_saved ->> 'message_id')::uuid, argument -> 'extends');
    end if;
  end if;
  if v_has_attachments and v_saved ? 'message_id' then
    v_saved := v_saved || foreword.find_attachments(argument);
  end if;
  return v_saved || (v_limited - 'limited');
end $$;

-- Makes a waiting turn run in the calling process: one whose time limit has passed, whose open requests for
-- approval are then expired, or one that its user has asked to stop.
-- @param turn_id
-- @param reason `expired` or `stop`
-- @param owner the id of the process; claim: an id of this call, the same if it is repeated
-- @returns {claimed: {conversation_id, user_id, parent_id, model, started_at, state, pieces, events}}; or
--   {missing}, {not_waiting: the turn's status}, {not_due}
create or replace function public.chat_claim_waiting(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
  v_wait public.turn_waits;
begin
  perform public.chat_check_version(argument);
  select * into v_turn from public.turns where id = (argument ->> 'turn_id')::uuid for update;
  select * into v_wait from public.turn_waits where turn_id = v_turn.id;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  elsif v_turn.status = 'running' and v_wait.claim = (argument ->> 'claim')::uuid then
    return foreword.claim_turn(v_turn.id, argument);
  elsif v_turn.status <> 'waiting' then
    return jsonb_build_object('not_waiting', v_turn.status);
  elsif argument ->> 'reason' = 'stop' then
    if not v_turn.stop_requested then
      return jsonb_build_object('not_due', true);
    end if;
  elsif v_turn.stop_requested or v_wait.expires_at > clock_timestamp() then
    return jsonb_build_object('not_due', true);
  else
    perform foreword.settle_approvals(v_turn.id, (
      select coalesce(jsonb_agg(jsonb_build_object('approval_id', id, 'decision', 'expired')), '[]')
        from jsonb_array_elements_text(foreword.list_pending_approvals(v_turn.id)) id));
  end if;
  return foreword.claim_turn(v_turn.id, argument);
end $$;

-- Deletes a turn, and its reply and the messages that it answered as far as nothing else needs them: no
-- message below them, and no other turn. A conversation left empty is deleted, unless the turn's request
-- named it. A turn that still runs ends nowhere.
-- @param user_id null for unowned turns
-- @param turn_id
-- @returns {deleted: true}; or {missing} if the turn does not exist or belongs to another user
create or replace function public.chat_delete_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument ->> 'turn_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_conversation uuid;
  v_turn public.turns;
  v_message public.messages;
  v_leaf uuid;
  v_place uuid; -- the last message that stays
begin
  perform public.chat_check_version(argument);
  -- A begin with this id waits.
  perform pg_advisory_xact_lock(hashtextextended(format('foreword turn %s', v_id), 0));
  select c.id, c.leaf_id into v_conversation, v_leaf from public.conversations c
    join public.turns t on t.conversation_id = c.id
    where t.id = v_id and t.user_id is not distinct from v_user for update of c;
  select * into v_turn from public.turns t
    where t.id = v_id and t.user_id is not distinct from v_user for update;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  end if;
  insert into public.deleted_turns (id, user_id) values (v_id, v_user)
    on conflict (id) do update set deleted_at = excluded.deleted_at, user_id = excluded.user_id;
  delete from public.deleted_turns where deleted_at < now() - interval '30 days';
  delete from public.turns where id = v_id;

  -- Its reply; or the row that was created for it while it ran; and the part of it that recovery had stored
  -- before the whole reply came.
  for v_message in
    select * from public.messages m
      where m.conversation_id = v_conversation and m.role = 'assistant'
        and (m.id = v_turn.message_id
          or (m.parent_id = v_turn.parent_id and ((m.status is null and m.metadata ->> 'reply_of' = v_id::text)
            or (m.id = v_id and (m.status is null
              or m.metadata ->> 'superseded_by' = v_turn.message_id::text)))))
  loop
    if foreword.delete_unused(v_conversation, v_message.id) then
      -- An earlier turn's reply, which this one went on with, is shown again.
      update public.messages m set metadata = m.metadata - 'superseded_by'
        where m.conversation_id = v_conversation and m.parent_id = v_turn.parent_id
          and m.metadata ->> 'superseded_by' = v_message.id::text;
    end if;
  end loop;
  v_place := v_turn.parent_id;
  loop
    select * into v_message from public.messages m where m.id = v_place
      and m.conversation_id = v_conversation;
    exit when v_message.id is null or v_message.role = 'assistant'
      or not foreword.delete_unused(v_conversation, v_message.id);
    v_place := v_message.parent_id;
  end loop;

  if not exists (select from public.messages m where m.conversation_id = v_conversation)
    and not exists (select from public.turns t where t.conversation_id = v_conversation)
    and v_turn.request ->> 'conversation' is null
  then
    delete from public.conversations where id = v_conversation;
  elsif v_leaf is not null and not exists (select from public.messages m where m.id = v_leaf) then
    -- The newest branch below the last message that stays is shown.
    select coalesce(v_message.id, null) into v_leaf;
    loop
      select m.id into v_place from public.messages m
        where m.conversation_id = v_conversation and m.parent_id is not distinct from v_leaf
          and not coalesce(m.metadata ? 'superseded_by', false)
        order by m.created_at desc, m.id desc limit 1;
      exit when v_place is null;
      v_leaf := v_place;
    end loop;
    update public.conversations set leaf_id = v_leaf where id = v_conversation;
  end if;
  return jsonb_build_object('deleted', true);
end $$;

-- Ends a turn: stores its reply, if there is one, and its outcome, and deletes its pieces. Repeating the same
-- end is harmless. A turn that was taken for abandoned ends again when its owner's own end arrives: the whole
-- reply then stands beside the interrupted one, whose `superseded_by` names it. A turn that waited once is
-- ended by the process that claimed it.
-- @param turn {id, status, plan, answer, model, usage, estimate: if the model reported no usage (the begin's
--   estimate fills its gaps), finish_reason, error_code, duration_ms, first_text_ms, ended_at; since version
--   9, attempts: [{model, error_code}], the models that failed before the one that replied, if any, context:
--   {messages_left_out, images_left_out, results_left_out, is_summarised, is_retried}, unless all was sent,
--   and cost: of its tokens, or null if the begin's prices have to do}
-- @param reply {id, content: if it is not the answer, metadata, digest}, or null
-- @param items [{position, ordinal, type, data}]: the turn's items but for its reasoning, which replace those
--   saved; absent if there are none
-- @param words of its reply, as in foreword.store_words; absent if a server is to read them later
-- @param owners optional: the ids of the process that ran the turn. If another one has claimed it since,
--   nothing changes
-- @param pause only from journals: the argument is one of chat_pause_turn
-- @param age_ms how long the end has waited, if it has
-- @param if_abandoned {owners, is_stale_too}: ends the turn only if chat_list_abandoned_turns would list it;
--   or null
-- @returns {conversation_id, is_changed}; or {gone} if the conversation was deleted meanwhile
create or replace function public.chat_end_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
  v_conversation public.conversations;
  v_message uuid;
  v_usage jsonb;
  v_estimate jsonb;
  v_day date;
  v_is_over boolean := false;
  v_is_leaf boolean;
  v_cost numeric; -- of its tokens
begin
  perform public.chat_check_version(argument);
  if argument ? 'pause' then
    return public.chat_pause_turn(argument);
  end if;
  select c.* into v_conversation from public.conversations c
    join public.turns t on t.conversation_id = c.id
      where t.id = (argument #>> '{turn,id}')::uuid for update of c;
  select * into v_turn from public.turns where id = (argument #>> '{turn,id}')::uuid for update;
  if v_turn.id is null or v_conversation.id is null then
    return jsonb_build_object('gone', true);
  end if;
  if jsonb_typeof(argument -> 'if_abandoned') = 'object' then
    v_is_over := v_turn.status <> 'running' or not coalesce(
      argument #> '{if_abandoned,owners}' ? v_turn.owner::text
      or ((argument #>> '{if_abandoned,is_stale_too}')::boolean
        and v_turn.heartbeat_at < clock_timestamp() - interval '30 seconds'),
      false);
  elsif v_turn.status = 'running' then
    if not coalesce(argument -> 'owners' ? v_turn.owner::text, true) then
      v_is_over := exists (select from public.turn_waits w where w.turn_id = v_turn.id and w.claim is not null);
    end if;
  elsif v_turn.status = 'interrupted' then
    v_is_over := argument #>> '{turn,status}' = 'interrupted'
      and v_turn.answer is not distinct from argument #>> '{turn,answer}'
      and v_turn.plan is not distinct from argument #>> '{turn,plan}'
      and not exists (
        select from jsonb_to_recordset(coalesce(argument -> 'items', '[]')) as i (position integer, ordinal integer)
          where not exists (select from public.turn_events e where e.turn_id = v_turn.id
            and e.position = i.position and e.ordinal = i.ordinal));
  else
    v_is_over := v_turn.status <> 'waiting';
  end if;
  if v_is_over then
    return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', false);
  end if;

  if jsonb_typeof(argument -> 'reply') = 'object' then
    v_message := foreword.store_reply(v_turn.id, v_turn.conversation_id, v_turn.parent_id,
      v_conversation.user_id, argument);
    if v_turn.message_id <> v_message then
      update public.messages set metadata = foreword.to_object(metadata)
        || jsonb_build_object('superseded_by', v_message)
        where id = v_turn.message_id;
    end if;
    -- The reply becomes the leaf, unless the conversation has gone on from another message than the one it
    -- answers, or ends in another reply to that message which was asked for later.
    v_is_leaf := v_conversation.leaf_id is null or v_turn.parent_id is null
      or v_conversation.leaf_id = v_turn.parent_id;
    if not v_is_leaf then
      v_is_leaf := exists (select from public.messages m where m.id = v_conversation.leaf_id
          and m.parent_id = v_turn.parent_id and m.role = 'assistant')
        and not exists (select from public.turns t where t.message_id = v_conversation.leaf_id
          and t.started_at > v_turn.started_at);
    end if;
    if v_is_leaf then
      update public.conversations set leaf_id = v_message,
          updated_at = greatest(updated_at,
            clock_timestamp() - coalesce((argument ->> 'age_ms')::bigint, 0) * interval '1 millisecond')
        where id = v_turn.conversation_id;
    end if;
  end if;
  if v_message is null then
    -- The reply is empty, but its client went on below it.
    update public.messages m set status = argument #>> '{turn,status}',
        metadata = foreword.to_object(m.metadata) - 'reply_of'
      where m.conversation_id = v_turn.conversation_id and m.parent_id = v_turn.parent_id
        and m.role = 'assistant' and m.status is null
        and (m.id = v_turn.id or m.metadata ->> 'reply_of' = v_turn.id::text)
      returning m.id into v_message;
  end if;
  if exists (select from public.turn_pieces where turn_id = v_turn.id)
    or exists (select from public.turn_events where turn_id = v_turn.id)
    or exists (select from public.turn_waits where turn_id = v_turn.id)
  then
    delete from public.turn_pieces where turn_id = v_turn.id;
    delete from public.turn_waits where turn_id = v_turn.id;
    delete from public.turn_events where turn_id = v_turn.id
      and (type = 'reasoning-delta' or argument ? 'items');
  end if;
  if argument ? 'items' then
    perform foreword.save_items(v_turn.id, argument -> 'items');
  end if;
  -- The usage of a turn that waited counts as far as known.
  v_usage := coalesce(nullif(argument #> '{turn,usage}', 'null'),
    case when v_turn.status in ('running', 'waiting') then v_turn.usage end);
  v_estimate := case when v_usage is null then coalesce(v_turn.estimate, '{}')
    || coalesce(nullif(argument #> '{turn,estimate}', 'null'), '{}') end;
  v_day := (v_turn.started_at at time zone 'UTC')::date;
  v_cost := coalesce((argument #>> '{turn,cost}')::numeric,
    foreword.to_cost(coalesce(v_usage, v_estimate), v_turn.estimate));
  v_estimate := v_estimate - 'input_price' - 'output_price';
  perform foreword.count_usage(v_turn.user_id, v_day, 1, coalesce(argument #>> '{turn,model}', v_turn.model),
    coalesce(v_usage, v_estimate) || jsonb_build_object('cost', v_cost), v_usage is null);
  -- An end that this one replaces is not counted twice. One that came before anything was counted has no
  -- estimate.
  if v_turn.status not in ('running', 'waiting') and coalesce(v_turn.usage, v_turn.estimate) is not null then
    perform foreword.count_usage(v_turn.user_id, v_day, -1, v_turn.model,
      coalesce(v_turn.usage, v_turn.estimate) || jsonb_build_object('cost', v_turn.cost), v_turn.usage is null);
  end if;
  if v_turn.key_name is not null then
    -- Its cost takes the place of its reservation, or of the cost that an earlier end has counted.
    perform foreword.count_cost(v_turn.key_name, v_day,
      coalesce(v_cost, 0) + coalesce((v_usage ->> 'tool_cost')::numeric, 0)
      - coalesce(case when v_turn.status in ('running', 'waiting')
        then foreword.to_cost(v_turn.estimate, v_turn.estimate)
        else coalesce(v_turn.cost, 0) + coalesce((v_turn.usage ->> 'tool_cost')::numeric, 0) end, 0));
  end if;
  update public.turns set
    status = argument #>> '{turn,status}', plan = argument #>> '{turn,plan}',
      answer = argument #>> '{turn,answer}',
    model = coalesce(argument #>> '{turn,model}', model), usage = v_usage, estimate = v_estimate,
      cost = v_cost, subject = null,
    attempts = coalesce(nullif(argument #> '{turn,attempts}', 'null'), attempts),
    context = coalesce(nullif(argument #> '{turn,context}', 'null'), context),
    finish_reason = argument #>> '{turn,finish_reason}', error_code = argument #>> '{turn,error_code}',
    duration_ms = (argument #>> '{turn,duration_ms}')::integer,
      first_text_ms = (argument #>> '{turn,first_text_ms}')::integer,
    ended_at = (argument #>> '{turn,ended_at}')::timestamptz, message_id = coalesce(v_message, message_id)
    where id = v_turn.id;
  return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', true);
end $$;

-- Returns the limit that keeps a user from starting a turn, as chat_begin_turn returns it. Two turns of one
-- user, or under one API key with a budget, are checked one after the other.
-- @param as in chat_begin_turn
-- @returns {limited, ...}; or {left: {tokens, cost, key_cost}} the rest of each limit per day that the turn
--   has, without the turn's own share, costs as text; or {}
create or replace function public.chat_find_limit(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_subject text := argument #>> '{allowance,subject}';
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_key text := argument #>> '{turn,key_name}';
  -- The day the turn counts on, by its server's clock: the database's may have another day.
  v_day date := ((argument #>> '{turn,started_at}')::timestamptz at time zone 'UTC')::date;
  v_estimate jsonb := argument #> '{turn,estimate}';
  v_cost numeric := coalesce(foreword.to_cost(v_estimate, v_estimate), 0);
  v_has_budget boolean := argument #>> '{allowance,cost_per_day}' is not null;
  v_turns integer;
  v_left bigint;
  v_cost_left numeric;
  v_key_left numeric := (argument #>> '{allowance,key_cost_per_day}')::numeric;
begin
  if argument #>> '{allowance,over}' is not null then
    return jsonb_build_object('limited', argument #>> '{allowance,over}');
  end if;
  perform pg_advisory_xact_lock(hashtextextended(format('foreword allowance %s', v_subject), 0));
  -- A turn without a sign of life is about to be ended. One that waits for its user keeps its tokens only.
  -- Tokens and costs count on the day on which their turn began.
  select count(*) filter (where t.status = 'running' and t.heartbeat_at > clock_timestamp() - interval '30 seconds'),
      (argument #>> '{allowance,tokens_per_day}')::bigint
        - coalesce(sum(coalesce((t.estimate ->> 'input_tokens')::bigint, 0)
          + coalesce((t.estimate ->> 'output_tokens')::bigint, 0)) filter (where t.day = v_day), 0),
      (argument #>> '{allowance,cost_per_day}')::numeric
        - coalesce(sum(case when v_has_budget then foreword.to_cost(t.estimate, t.estimate) end)
          filter (where t.day = v_day), 0)
    into v_turns, v_left, v_cost_left
    from (
      select r.status, r.heartbeat_at, r.estimate, (r.started_at at time zone 'UTC')::date as day
        from public.turns r where r.subject = v_subject and r.status = 'running'
      union all
      select r.status, r.heartbeat_at, r.estimate, (r.started_at at time zone 'UTC')::date as day
        from public.turn_waits w join public.turns r on r.id = w.turn_id
        where w.subject = v_subject and r.status = 'waiting'
    ) t;
  if v_turns >= (argument #>> '{allowance,concurrent_turns}')::integer then
    return jsonb_build_object('limited', 'concurrent-turns');
  end if;
  if v_left is not null or v_has_budget then
    select v_left - coalesce(sum(d.input_tokens + d.output_tokens), 0),
        v_cost_left - coalesce(sum(d.cost + d.tool_cost), 0)
      into v_left, v_cost_left
      from public.daily_usage d where d.user_id = v_user and d.day = v_day;
    if v_left < (v_estimate ->> 'input_tokens')::bigint + (v_estimate ->> 'output_tokens')::bigint then
      return jsonb_build_object('limited', 'tokens-per-day', 'tokens_left', greatest(v_left, 0));
    end if;
    if v_cost_left < v_cost then
      return jsonb_build_object('limited', 'cost-per-day', 'cost_left', greatest(v_cost_left, 0)::text);
    end if;
  end if;
  if v_key_left is not null and v_key is not null then
    perform pg_advisory_xact_lock(hashtextextended(format('foreword budget %s', v_key), 0));
    v_key_left := v_key_left - coalesce((select c.cost from public.daily_costs c
      where c.subject = format('key %s', v_key) and c.day = v_day), 0);
    if v_key_left < v_cost then
      return jsonb_build_object('limited', 'key-cost-per-day', 'cost_left', greatest(v_key_left, 0)::text);
    end if;
  end if;
  if coalesce(v_left, v_cost_left, v_key_left) is null then
    return '{}';
  end if;
  return jsonb_build_object('left', jsonb_strip_nulls(jsonb_build_object(
    'tokens', v_left - (v_estimate ->> 'input_tokens')::bigint - (v_estimate ->> 'output_tokens')::bigint,
    'cost', (v_cost_left - v_cost)::text, 'key_cost', (v_key_left - v_cost)::text)));
end $$;

-- Returns the newest turn of a conversation.
-- @param user_id or null
-- @param conversation_id
-- @param chat_id the conversation's AI SDK chat, or null
-- @returns {turn_id, started_at, is_running: or waits for its user}, all null without a turn
create or replace function public.chat_find_newest_turn(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_turn public.turns;
begin
  perform public.chat_become_caller(argument);
  if argument ->> 'chat_id' is not null then
    v_conversation := coalesce(
      (select c.id from public.conversations c where c.chat_id = argument ->> 'chat_id'
        and c.user_id is not distinct from v_user), v_conversation);
  end if;
  select * into v_turn from public.turns t
    where t.conversation_id = v_conversation and t.user_id is not distinct from v_user
    order by t.started_at desc limit 1;
  return jsonb_build_object('turn_id', v_turn.id, 'started_at', v_turn.started_at, 'is_running',
    v_turn.status in ('running', 'waiting'));
end $$;

-- Lists running turns whose process is gone: their owner is one of `owners`, or has given no sign of life for
-- 30 seconds. Then waiting turns that must be claimed: see chat_claim_waiting.
-- @param owners [ids]
-- @param except [turn ids]
-- @param is_stale_too whether to include other owners' turns without a sign of life
-- @param limit
-- @returns [{turn_id, pieces, events, reason: why a waiting turn must be claimed, else null}]
create or replace function public.chat_list_abandoned_turns(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off as $$
begin
  -- A plan that is made while the table is small would go on to read all of it when it is large.
  perform public.chat_check_version(argument);
  return coalesce((
    select jsonb_agg(jsonb_build_object('turn_id', a.id, 'reason', a.reason, 'pieces', (
        select coalesce(jsonb_agg(jsonb_build_object('position', p.position, 'text', p.text)
          order by p.position), '[]')
        from public.turn_pieces p where p.turn_id = a.id and a.reason is null),
      'events', (
        select coalesce(jsonb_agg(jsonb_build_object('position', e.position, 'ordinal', e.ordinal,
          'type', e.type, 'data', e.data) order by e.position, e.ordinal), '[]')
        from public.turn_events e where e.turn_id = a.id and a.reason is null)))
    from (
      select listed.* from (
        (select t.id, null as reason, t.heartbeat_at as since from public.turns t
          where t.status = 'running' and not argument -> 'except' ? t.id::text and (
            argument -> 'owners' ? t.owner::text
            or ((argument ->> 'is_stale_too')::boolean
              and t.heartbeat_at < clock_timestamp() - interval '30 seconds'))
          order by t.heartbeat_at limit (argument ->> 'limit')::integer)
        union all
        (select t.id, case when t.stop_requested then 'stop' else 'expired' end, w.expires_at
          from public.turn_waits w join public.turns t on t.id = w.turn_id
          where w.expires_at <= clock_timestamp()
            and t.status = 'waiting' and not argument -> 'except' ? t.id::text
          order by w.expires_at limit (argument ->> 'limit')::integer)
      ) listed
      order by listed.reason is not null, listed.since limit (argument ->> 'limit')::integer
    ) a
  ), '[]');
end $$;

-- Lets a running turn wait for its user: stores its text and items so far, and the state from which a server
-- goes on. Repeating the same pause is harmless.
-- @param turn {id, usage: so far, or null}
-- @param owners optional: the ids of the process that runs the turn
-- @param text the body so far; items as in chat_end_turn, with reasoning
-- @param pause {state, expires_at}
-- @param age_ms how long the pause has waited, if it has
-- @returns {conversation_id, is_changed}; {stop} if the turn has been asked to stop: it runs on, unless the
--   pause has waited; or {gone} if the conversation was deleted meanwhile
create or replace function public.chat_pause_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
begin
  perform public.chat_check_version(argument);
  select * into v_turn from public.turns where id = (argument #>> '{turn,id}')::uuid for update;
  if v_turn.id is null then
    return jsonb_build_object('gone', true);
  end if;
  -- A pause that comes again after its turn was claimed is older than an item of the turn.
  if v_turn.status <> 'running'
    or (not coalesce(argument -> 'owners' ? v_turn.owner::text, true) and exists (
      select from public.turn_waits w where w.turn_id = v_turn.id and w.claim is not null))
    or exists (select from public.turn_events e where e.turn_id = v_turn.id and e.type <> 'reasoning-delta'
      and (e.position, e.ordinal) > (
        select i.position, i.ordinal
          from jsonb_to_recordset(coalesce(argument -> 'items', '[]')) as i (position integer, ordinal integer)
          order by i.position desc, i.ordinal desc limit 1))
  then
    return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', false);
  end if;
  if v_turn.stop_requested and argument -> 'age_ms' is null then
    return jsonb_build_object('stop', true);
  end if;
  delete from public.turn_pieces where turn_id = v_turn.id;
  if argument ->> 'text' <> '' then
    insert into public.turn_pieces (turn_id, position, text) values (v_turn.id, 0, argument ->> 'text');
  end if;
  perform foreword.save_items(v_turn.id, argument -> 'items');
  update public.turns set status = 'waiting', usage = coalesce(nullif(argument #> '{turn,usage}', 'null'), usage)
    where id = v_turn.id;
  insert into public.turn_waits as w (turn_id, state, expires_at, subject)
    values (v_turn.id, argument #> '{pause,state}',
      case when v_turn.stop_requested then '-infinity'
        else (argument #>> '{pause,expires_at}')::timestamptz end, v_turn.subject)
    on conflict (turn_id) do update set state = excluded.state, expires_at = excluded.expires_at,
      subject = excluded.subject, claim = null;
  return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', true);
end $$;

-- Returns a turn and its text: the final text, or, while it runs or waits, the pieces from the one that holds
-- the byte `after`.
-- @param user_id null for unowned turns
-- @param turn_id, after
-- @param after_item {position, ordinal}, the place after which items are returned; or null
-- @param for_service returns the turn of any user
-- @returns the turn, with its items as `events`, and if `after` is 0 the message of a reply that it goes on
--   with as `extends`: {id: of the reply's first message, content, plan, tools}; or {missing} if it does not
--   exist or belongs to another user
create or replace function public.chat_read_turn(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_id uuid := (argument ->> 'turn_id')::uuid;
  v_turn public.turns;
  v_position integer := coalesce((argument #>> '{after_item,position}')::integer, -1);
  v_ordinal integer := coalesce((argument #>> '{after_item,ordinal}')::integer, 0);
  v_extends jsonb;
begin
  perform public.chat_check_version(argument);
  if argument ->> 'user_id' is not null then
    perform public.chat_become_user(argument);
    select * into v_turn from public.turns where id = v_id and user_id = (argument ->> 'user_id')::uuid;
  elsif coalesce((argument ->> 'for_service')::boolean, false) then
    select * into v_turn from public.turns where id = v_id;
  else
    select * into v_turn from public.turns where id = v_id and user_id is null;
  end if;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  end if;
  if (argument ->> 'after')::integer = 0 then
    -- The message has the turn's id, and supersedes those of the turns before it.
    with recursive chain as (
      select m.id, 0 as depth from public.messages m
        where m.id = v_id and m.parent_id = v_turn.parent_id and m.metadata ? 'tools'
      union all
      select e.id, c.depth + 1 from chain c join public.messages e
        on e.conversation_id = v_turn.conversation_id and e.parent_id = v_turn.parent_id
          and e.metadata ->> 'superseded_by' = c.id::text
        where c.depth < 100 and exists (select from public.turns t where t.id = e.id)
    )
    select jsonb_build_object('id', c.id, 'content', m.content, 'plan', m.metadata -> 'plan',
        'tools', m.metadata -> 'tools') into v_extends
      from chain c join public.messages m on m.id = v_id
      -- Several attempts may have gone on with one reply.
      join public.messages e on e.id = c.id
      where c.depth > 0 order by c.depth desc, e.created_at limit 1;
  end if;
  return jsonb_build_object(
    'extends', v_extends, 'conversation_id', v_turn.conversation_id, 'plan', v_turn.plan, 'answer', v_turn.answer,
    'status', v_turn.status, 'usage', v_turn.usage, 'finish_reason', v_turn.finish_reason,
    'error_code', v_turn.error_code, 'model', v_turn.model, 'attempts', v_turn.attempts, 'context', v_turn.context,
    'request', v_turn.request,
    'started_at', v_turn.started_at, 'duration_ms', v_turn.duration_ms, 'first_text_ms', v_turn.first_text_ms,
    'pieces', (
      select coalesce(jsonb_agg(jsonb_build_object('position', p.position, 'text', p.text)
        order by p.position), '[]')
      from public.turn_pieces p
      where p.turn_id = v_id and v_turn.status in ('running', 'waiting') and p.position >= coalesce((
        select max(b.position) from public.turn_pieces b
        where b.turn_id = v_id and b.position <= (argument ->> 'after')::integer), 0)
    ),
    'events', (
      select coalesce(jsonb_agg(jsonb_build_object('position', e.position, 'ordinal', e.ordinal,
        'type', e.type, 'data', e.data) order by e.position, e.ordinal), '[]')
      from public.turn_events e
      where e.turn_id = v_id and (e.position, e.ordinal) > (v_position, v_ordinal)
    ));
end $$;

-- Asks for a turn to be stopped, or for all of a conversation that run or wait: their owners hear of it with
-- their next progress. A waiting turn has no owner: it is due to be claimed at once.
-- @param user_id or null
-- @param turn_id; or conversation_id and chat_id (or null)
-- @returns {found: whether the user has such a turn, turns: for a conversation, their ids, newest first}
create or replace function public.chat_request_stop(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_conversation uuid := coalesce(
    (select c.id from public.conversations c where c.chat_id = argument ->> 'chat_id'
      and c.user_id is not distinct from v_user),
    (argument ->> 'conversation_id')::uuid);
  v_turns jsonb;
begin
  perform public.chat_check_version(argument);
  if v_conversation is not null then
    with stopped as (
      update public.turns set stop_requested = true
        where conversation_id = v_conversation and status in ('running', 'waiting')
          and user_id is not distinct from v_user
          returning id, started_at)
    select coalesce(jsonb_agg(id order by started_at desc), '[]') into v_turns from stopped;
    update public.turn_waits set expires_at = least(expires_at, clock_timestamp())
      where turn_id in (select value::uuid from jsonb_array_elements_text(v_turns));
    return jsonb_build_object('found', v_turns <> '[]', 'turns', v_turns);
  end if;
  update public.turns set stop_requested = true
    where id = (argument ->> 'turn_id')::uuid and user_id is not distinct from v_user
    returning jsonb_build_array(id) into v_turns;
  update public.turn_waits set expires_at = least(expires_at, clock_timestamp())
    where turn_id = (v_turns ->> 0)::uuid;
  return jsonb_build_object('found', v_turns is not null);
end $$;

-- Saves the progress of the turns that run in one process: new text and items, and every 5 seconds a sign of
-- life.
-- @param owners [ids of the process]
-- @param running [turn ids]
-- @param pieces [{turn_id, position: bytes of the body before it, text: may be empty, items:
--   [{position, ordinal, type, data}]; absent if there are none}]; a longer piece replaces a shorter one at
--   the same position, and items may come again
-- @returns {known: turns that are stored and belong to these owners, stop: turns that have been asked to
--   stop}
create or replace function public.chat_save_progress(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_running uuid[];
  v_piece record;
begin
  perform public.chat_check_version(argument);
  -- First of all: a turn that begins meanwhile is not reported as known, because its pieces may have come too
  -- early.
  v_running := array(
    select t.id from public.turns t
    where t.id in (select value::uuid from jsonb_array_elements_text(argument -> 'running'))
      and (t.owner is null or argument -> 'owners' ? t.owner::text));
  insert into public.turn_pieces as saved (turn_id, position, text)
    select t.id, p.position, p.text
    from jsonb_to_recordset(argument -> 'pieces') as p (turn_id uuid, position integer, text text)
    join public.turns t on t.id = p.turn_id and t.status = 'running' and p.text <> ''
      and (t.owner is null or argument -> 'owners' ? t.owner::text)
    -- Waits for a turn that is ending: its pieces are deleted, and none may come after.
    order by t.id for no key update of t
    on conflict (turn_id, position) do update set text = excluded.text
      where length(excluded.text) > length(saved.text);
  for v_piece in
    select t.id, p.items
    from jsonb_to_recordset(argument -> 'pieces') as p (turn_id uuid, items jsonb)
    join public.turns t on t.id = p.turn_id and t.status = 'running' and p.items is not null
      and (t.owner is null or argument -> 'owners' ? t.owner::text)
    order by t.id for no key update of t
  loop
    perform foreword.save_items(v_piece.id, v_piece.items);
  end loop;
  update public.turns set heartbeat_at = clock_timestamp()
    where id = any (v_running) and status = 'running'
      and heartbeat_at < clock_timestamp() - interval '5 seconds';
  return jsonb_build_object('known', v_running, 'stop', (
    select coalesce(jsonb_agg(t.id), '[]') from public.turns t
    where t.id = any (v_running) and t.stop_requested and t.status = 'running'));
end $$;

-- Creates an empty conversation. Returns it, or {missing} if the id is taken.
-- @param user_id or null
-- @param conversation_id, title, metadata
create or replace function public.chat_create_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_made jsonb;
begin
  perform public.chat_become_caller(argument);
  insert into public.conversations as c (id, title, user_id, metadata, titled_by)
    values ((argument ->> 'conversation_id')::uuid, argument ->> 'title', (argument ->> 'user_id')::uuid,
      argument -> 'metadata', case when argument ->> 'title' <> 'New Chat' then 'person' end)
    on conflict (id) do nothing returning to_jsonb(c) into v_made;
  return coalesce(v_made, '{"missing": true}');
end $$;

-- Deletes conversations of the user with all their messages and turns.
-- @param user_id or null
-- @param conversation_id null for up to `limit` conversations
-- @param limit
-- @param max_messages about how many messages to delete at most, newest first: an embedded database does
--   nothing else meanwhile
-- @returns {deleted: how many, more: whether to call again}
create or replace function public.chat_delete_conversations(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_left integer := (argument ->> 'max_messages')::integer;
  v_id uuid;
  v_part integer;
  v_count integer := 0;
begin
  perform public.chat_become_caller(argument);
  for v_id in
    select c.id from public.conversations c
    where c.user_id is not distinct from v_user
      and (argument ->> 'conversation_id' is null or c.id = (argument ->> 'conversation_id')::uuid)
    limit (argument ->> 'limit')::integer
  loop
    -- The end of a turn locks the conversation before its messages too: the other order would be a deadlock.
    perform from public.conversations c where c.id = v_id for update;
    if v_left is not null then
      delete from public.messages where id in (
        select m.id from public.messages m where m.conversation_id = v_id
          order by m.created_at desc, m.id desc limit v_left);
      get diagnostics v_part = row_count;
      v_left := v_left - v_part;
      exit when v_left <= 0;
    end if;
    delete from public.conversations where id = v_id and user_id is not distinct from v_user;
    get diagnostics v_part = row_count;
    v_count := v_count + v_part;
  end loop;
  return jsonb_build_object('deleted', v_count, 'more', coalesce(v_left <= 0, false));
end $$;

-- Deletes conversations of any user that have been idle for `days`.
-- @param days, limit
-- @param max_messages as in chat_delete_conversations
-- @returns {deleted: how many, more: whether to call again}
create or replace function public.chat_delete_expired(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_expired timestamp := (clock_timestamp() - (argument ->> 'days')::integer * interval '1 day') at time zone 'UTC';
  v_left integer := (argument ->> 'max_messages')::integer;
  v_id uuid;
  v_part integer;
  v_count integer := 0;
begin
  perform public.chat_check_version(argument);
  for v_id in
    select c.id from public.conversations c
    where c.updated_at at time zone 'UTC' < v_expired
      and not exists (select from public.turns t where t.conversation_id = c.id and t.status = 'running')
    order by c.updated_at at time zone 'UTC' limit (argument ->> 'limit')::integer for update skip locked
  loop
    if v_left is not null then
      delete from public.messages where id in (
        select m.id from public.messages m where m.conversation_id = v_id
          order by m.created_at desc, m.id desc limit v_left);
      get diagnostics v_part = row_count;
      v_left := v_left - v_part;
      exit when v_left <= 0;
    end if;
    delete from public.conversations where id = v_id;
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('deleted', v_count, 'more', coalesce(v_left <= 0, false));
end $$;

-- Returns one of the user's conversations, or {missing}.
-- @param user_id or null
-- @param conversation_id
create or replace function public.chat_get_conversation(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select to_jsonb(s) from (
        select c.id, left(c.title, 1000) as title, c.user_id, c.created_at,
          case when pg_column_size(c.metadata) > 65536 or octet_length(c.metadata::text) > 65536
          then '{"is_cut": true}'::jsonb else c.metadata end as metadata,
          c.leaf_id, c.archived_at, c.updated_at from public.conversations c
    where c.id = (argument ->> 'conversation_id')::uuid
      and c.user_id is not distinct from (argument ->> 'user_id')::uuid) s
  ), '{"missing": true}');
end $$;

-- Returns the user's conversations, newest first.
-- @param user_id or null
-- @param limit
-- @param before {updated_at, id} of the last conversation of the page before, or null
-- @param is_archived whether to list archived conversations, or the others
-- @param query words that must all occur in a title, or in one message; or null
-- @param match, likely as in chat_search_conversations, if there is a `query`
create or replace function public.chat_list_conversations(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_limit integer := (argument ->> 'limit')::integer;
  v_before_at timestamptz := coalesce((argument #>> '{before,updated_at}')::timestamptz, 'infinity');
  v_before_id uuid := coalesce((argument #>> '{before,id}')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_found uuid[];
  v_answer jsonb;
begin
  if argument ->> 'query' is not null then
    v_found := public.chat_search_conversations(argument);
  end if;
  perform public.chat_become_caller(argument);
  execute format($f$
    select coalesce(jsonb_agg(to_jsonb(c) order by c.updated_at desc, c.id desc), '[]')
    from (
      select id, left(title, 1000) as title, leaf_id, archived_at, created_at, updated_at,
        case when pg_column_size(metadata) > 65536 or octet_length(metadata::text) > 65536
          then '{"is_cut": true}'::jsonb else metadata end as metadata
      from public.conversations
      where %s and archived_at is %s and (updated_at, id) < ($1, $2) %s
      order by updated_at desc, id desc limit $3
    ) c $f$,
    case when v_user is null then 'user_id is null' else 'user_id = $4' end,
    case when (argument ->> 'is_archived')::boolean then 'not null' else 'null' end,
    case when argument ->> 'query' is null then '' else 'and id = any ($5)' end)
    into v_answer using v_before_at, v_before_id, v_limit, v_user, v_found;
  return v_answer;
end $$;

-- Gives a conversation the title that a model has made, if its title is still the one made of a question.
-- Since version 9.
-- @param user_id or null
-- @param conversation_id, turn_id: the turn with the first reply
-- @param replaces the titles that may be replaced
-- @param title; null changes nothing, and asks whether the turn's reply is the conversation's first
-- @returns {is_free: whether the title may be, or was, replaced}
create or replace function public.chat_title_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument ->> 'conversation_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_check_version(argument);
  if argument ->> 'title' is null then
    return jsonb_build_object('is_free', exists (
        select from public.conversations c where c.id = v_id and c.user_id is not distinct from v_user
          and c.titled_by is null and argument -> 'replaces' ? c.title)
      -- Of several that are stored before any of them asks, exactly one is the first.
      and not exists (select from public.turns t, public.turns own where own.id = (argument ->> 'turn_id')::uuid
        and t.conversation_id = v_id and t.message_id is not null
        and (t.started_at, t.id) < (own.started_at, own.id)));
  end if;
  update public.conversations set title = argument ->> 'title', titled_by = 'model'
    where id = v_id and user_id is not distinct from v_user and titled_by is null
      and argument -> 'replaces' ? title;
  return jsonb_build_object('is_free', found);
end $$;

-- Changes the given fields of one of the user's conversations.
-- @param user_id or null
-- @param conversation_id
-- @param changes {title, metadata, is_archived, leaf_id: one of its messages}
-- @returns the conversation; or {missing}; or {missing_leaf} if it has no such message
create or replace function public.chat_update_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_changes jsonb := argument -> 'changes';
  v_changed jsonb;
begin
  perform public.chat_become_caller(argument);
  if v_changes ? 'leaf_id' and not exists (
    select from public.messages m where m.id = (v_changes ->> 'leaf_id')::uuid
      and m.conversation_id = (argument ->> 'conversation_id')::uuid
  ) then
    return case when exists (select from public.conversations c
        where c.id = (argument ->> 'conversation_id')::uuid
          and c.user_id is not distinct from (argument ->> 'user_id')::uuid)
      then '{"missing_leaf": true}'::jsonb else '{"missing": true}' end;
  end if;
  -- The row level security of the update sees only messages that were stored before the statement began: it
  -- would refuse the leaf of a turn that ends meanwhile.
  perform from public.conversations c where c.id = (argument ->> 'conversation_id')::uuid for update;
  update public.conversations c set
    title = coalesce(v_changes ->> 'title', c.title),
    titled_by = case when v_changes ->> 'title' is null then c.titled_by else 'person' end,
    metadata = coalesce(v_changes -> 'metadata', c.metadata),
    leaf_id = coalesce((v_changes ->> 'leaf_id')::uuid, c.leaf_id),
    archived_at = case (v_changes ->> 'is_archived')::boolean
      when true then coalesce(c.archived_at, clock_timestamp()) when false then null else c.archived_at end
    where c.id = (argument ->> 'conversation_id')::uuid
      and c.user_id is not distinct from (argument ->> 'user_id')::uuid
    returning (select to_jsonb(s) from (
        select c.id, left(c.title, 1000) as title, c.user_id, c.created_at,
          case when pg_column_size(c.metadata) > 65536 or octet_length(c.metadata::text) > 65536
          then '{"is_cut": true}'::jsonb else c.metadata end as metadata,
          c.leaf_id, c.archived_at, c.updated_at) s) into v_changed;
  return coalesce(v_changed, '{"missing": true}');
end $$;

-- Returns the message of each conversation that a search has found, and its text: the newest of those that
-- match, among some hundred. Words are looked up as the service, as in chat_search_conversations, and within
-- a second; texts are read as the user.
-- @param user_id or null
-- @param conversation_ids the conversations, the most important first
-- @param match, likely as in chat_search_conversations
-- @param max_bytes of UTF-8 in all texts, of which only the first 100000 characters count; the texts after
--   these are cut to 2000 characters
-- @returns [{conversation_id, message_id, text}] without conversations whose title alone matches
create or replace function public.chat_find_hits(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  c_most_read constant integer := 200; -- in one conversation
  v_match tsquery := (argument ->> 'match')::tsquery;
  v_owner tsquery := quote_literal(' owner '
    || coalesce((argument ->> 'user_id')::uuid::text, 'nobody'))::tsquery;
  v_likely tsquery := (argument ->> 'likely')::tsquery;
  v_ends timestamptz := clock_timestamp() + interval '1 second';
  v_conversation uuid;
  v_within tsquery;
  v_id uuid;
  v_ids uuid[] := '{}';
begin
  perform public.chat_check_version(argument);
  foreach v_conversation in array array(
    select value::uuid from jsonb_array_elements_text(argument -> 'conversation_ids')) loop
    v_within := quote_literal(' conversation ' || v_conversation)::tsquery;
    if v_likely is not null then
      v_within := v_likely && v_within;
    end if;
    -- The owner's lexeme is in all the user's texts. To look it up would take most of the time, and these
    -- rows are few: their words are compared with it ("is true" keeps the planner from using the index).
    select m.id into v_id
      from (select w.id, w.words from public.message_words w
        where w.words @@ v_within and (w.words @@ v_owner) is true limit c_most_read) w
      cross join lateral (select * from public.messages message where message.id = w.id limit 1) m
      where w.words @@ v_match and m.conversation_id = v_conversation
      order by m.created_at desc, m.id desc limit 1;
    if found then
      v_ids := v_ids || v_id;
    end if;
    exit when clock_timestamp() > v_ends;
  end loop;
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(jsonb_build_object('conversation_id', s.conversation_id, 'message_id', s.id,
      'text', coalesce(left(s.content, case when s.bytes <= (argument ->> 'max_bytes')::bigint then 100000
        else 2000 end), '')) order by s.place)
      from (select m.conversation_id, m.id, m.content, l.place,
        sum(least(coalesce(octet_length(m.content), 0), 400000)) over (order by l.place) as bytes
        from unnest(v_ids) with ordinality as l (id, place)
        cross join lateral (select * from public.messages message where message.id = l.id limit 1) m) s
  ), '[]');
end $$;

-- Stores the words of texts that servers have read, and hands out texts to read: those written or changed
-- last, then the backlog. A text that was handed out is left to its reader for a minute, and twice as long
-- each further time: several servers share the work, and a text that cannot be read does not come up again
-- and again. Nothing here waits for another transaction's lock.
-- @param read [{kind: message or title, id, revision, words: a tsvector}]
-- @param limit how many texts of each kind are wanted
-- @param max_bytes of UTF-8 in all of them, at least one text; only the first 100000 characters of each count
-- @returns {texts [{kind, id, conversation_id, user_id, revision, text, is_new: whether it is not of the
--   backlog}], locked: ids of texts whose words were not stored because another transaction holds them,
--   has_more: whether further texts are available now}
create or replace function public.chat_index_texts(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set enable_seqscan = off as $$
declare
  v_limit integer := (argument ->> 'limit')::integer;
  v_bytes bigint := (argument ->> 'max_bytes')::bigint; -- left to hand out
  v_texts jsonb := '[]';
  v_locked jsonb := '[]';
  v_has_more boolean := false;
  v_now timestamptz := clock_timestamp();
  v_kind record;
  v_taken record;
begin
  perform public.chat_check_version(argument);
  -- Each search calls this, mostly with nothing to do. To plan the statements below would then take most of
  -- the time.
  if argument -> 'read' = '[]' and v_limit > 0
    and not exists (select from public.message_words w where w.words is null and w.not_before <= v_now)
    and not exists (select from public.title_words w where w.words is null and w.not_before <= v_now)
  then
    return jsonb_build_object('texts', v_texts, 'locked', v_locked, 'has_more', foreword.enter_backlog());
  end if;
  for v_kind in
    select * from (values ('title', 'public.conversations', 'title', 'id'),
      ('message', 'public.messages', 'content', 'conversation_id'))
      as k (name, source, content, conversation)
  loop
    execute format($f$
      with read as (
        select w.id, r.words
          from jsonb_to_recordset($1) as r (kind text, id uuid, revision integer, words text)
          -- With a limit the planner looks each up by its id, not among all unread texts.
          cross join lateral (select w.id, w.revision, w.words is null as is_due from public.%1$s_words w
            where w.id = r.id limit 1 for update skip locked) w
          where r.kind = %1$L and w.revision = r.revision and w.is_due
      )
      update public.%1$s_words w set words = r.words::tsvector from read r where w.id = r.id $f$, v_kind.name)
      using argument -> 'read';
    execute format($f$
      select $2 || coalesce(jsonb_agg(w.id), '[]')
        from jsonb_to_recordset($1) as r (kind text, id uuid, revision integer)
        cross join lateral (select * from public.%1$s_words w where w.id = r.id limit 1) w
        where r.kind = %1$L and w.revision = r.revision and w.words is null $f$, v_kind.name)
      into v_locked using argument -> 'read', v_locked;
    continue when v_limit = 0 or v_bytes <= 0;
    execute format($f$
      with due as materialized (
        select w.id, w.not_before from public.%1$s_words w where w.words is null and w.not_before <= $1
          order by w.not_before limit $2 for update skip locked
      ), sized as materialized (
        select d.id, d.not_before, row_number() over place as number,
          sum(least(coalesce(octet_length(s.%3$I), 0), 400000)) over place as bytes
          from due d cross join lateral (select * from %2$s s where s.id = d.id limit 1) s
          window place as (order by d.not_before, d.id)
      ), taken as (
        update public.%1$s_words w
          set attempts = w.attempts + 1,
            not_before = $1 + interval '1 minute' * power(2, least(w.attempts, 10))
          from sized d where w.id = d.id and (d.number = 1 or d.bytes <= $3)
          returning w.id, w.revision, d.not_before, d.bytes
      )
      select count(*) as count, max(t.bytes) as bytes, (select count(*) from due) as due,
        coalesce(jsonb_agg(jsonb_build_object(
          'kind', %1$L, 'id', t.id, 'conversation_id', s.%4$I, 'user_id', s.user_id, 'revision', t.revision,
          'text', coalesce(left(s.%3$I, 100000), ''), 'is_new', t.not_before = '-infinity')), '[]') as texts
        from taken t cross join lateral (select * from %2$s s where s.id = t.id limit 1) s $f$,
      v_kind.name, v_kind.source, v_kind.content, v_kind.conversation)
      into v_taken using v_now, v_limit, v_bytes;
    v_texts := v_texts || v_taken.texts;
    v_bytes := v_bytes - coalesce(v_taken.bytes, 0);
    v_has_more := v_has_more or v_taken.due = v_limit or v_taken.due > v_taken.count or v_bytes <= 0;
  end loop;
  if v_has_more or v_limit = 0 or v_texts <> '[]' then
    return jsonb_build_object('texts', v_texts, 'locked', v_locked, 'has_more', v_has_more
      or exists (select from public.word_backlog));
  end if;

  return jsonb_build_object('texts', v_texts, 'locked', v_locked, 'has_more', foreword.enter_backlog());
end $$;

-- Returns ids of the user's conversations whose title or messages match a search: enough for the requested
-- page to be among them, within two seconds and some ten thousand texts. It runs as the service, and the
-- owner is one of the words: behind row level security, word comparisons could not use an index.
-- @param as in chat_list_conversations
-- @param match a tsquery
-- @param likely a tsquery without phrases that finds at least as much; null for one that matches every text
create or replace function public.chat_search_conversations(argument jsonb) returns uuid[]
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  -- An index of words has no order, and gathering 200,000 matching messages takes 200 ms. Checking one
  -- conversation takes 20 µs, which soon fills a page if a word is common. So conversations are checked
  -- newest first while they would fill the page within this number; otherwise few match, and all matches are
  -- gathered.
  c_most_asked constant integer := 1000;
  -- The index knows the words of a phrase, not their order: so many texts are gathered, and so many are
  -- compared, in one conversation or in all.
  c_most_gathered constant integer := 100000;
  c_most_read constant integer := 20000;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_limit integer := (argument ->> 'limit')::integer;
  v_match tsquery := (argument ->> 'match')::tsquery;
  v_is_phrase boolean := argument ->> 'likely' is distinct from argument ->> 'match';
  v_owner tsquery := quote_literal(' owner ' || coalesce(v_user::text, 'nobody'))::tsquery;
  v_likely tsquery := coalesce((argument ->> 'likely')::tsquery, v_owner);
  v_ends timestamptz := clock_timestamp() + interval '2 seconds';
  v_places tsquery;
  -- Twenty at once; if texts must be compared, one, and only up to its first match.
  v_step integer := case when v_is_phrase then 1 else 20 end;
  v_newest refcursor;
  v_id uuid;
  v_ids uuid[];
  v_found uuid[] := '{}';
  v_text record;
begin
  perform public.chat_check_version(argument);
  if v_match is null or numnode(v_match) = 0 then
    return v_found;
  end if;
  open v_newest no scroll for execute format($f$
    select id from public.conversations
    where %s and archived_at is %s and (updated_at, id) < ($1, $2) order by updated_at desc, id desc
      limit $3 $f$,
    case when v_user is null then 'user_id is null' else 'user_id = $4' end,
    case when (argument ->> 'is_archived')::boolean then 'not null' else 'null' end)
    using coalesce((argument #>> '{before,updated_at}')::timestamptz, 'infinity'),
      coalesce((argument #>> '{before,id}')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), c_most_asked,
        v_user;
  for v_asked in v_step .. c_most_asked by v_step loop
    v_ids := '{}';
    for v_place in 1 .. v_step loop
      fetch v_newest into v_id;
      exit when v_id is null;
      v_ids := v_ids || v_id;
    end loop;
    v_places := v_likely && (select string_agg(quote_literal(' conversation ' || id), ' | ')::tsquery
      from unnest(v_ids) id);
    -- The owner's lexeme is in all the user's texts, and takes longer to look up than the rest: within the
    -- user's own conversations, the few messages that match are asked for their owner instead.
    if v_is_phrase then
      v_found := v_found || array(
        (select w.conversation_id
          from (select * from public.message_words w where w.words @@ v_places limit c_most_read) w
          where w.words @@ v_match and w.words @@ v_owner limit 1)
        union
        select w.conversation_id from public.title_words w where w.words @@ v_places and w.words @@ v_match);
    else
      v_found := v_found || array(
        select w.conversation_id from public.message_words w
          cross join lateral (select * from public.messages message where message.id = w.id limit 1) m
          where w.words @@ v_places and m.user_id is not distinct from v_user
        union
        select w.conversation_id from public.title_words w where w.words @@ v_places);
    end if;
    if v_id is null or cardinality(v_found) > v_limit -- one more than the page: it may be moved or deleted
      or clock_timestamp() > v_ends
    then
      return v_found;
    end if;
    exit when v_asked >= 40 and cardinality(v_found) * c_most_asked < v_limit * v_asked;
  end loop;
  v_likely := v_likely && v_owner;
  if not v_is_phrase then
    return v_found || array(
      (select w.conversation_id from public.message_words w where w.words @@ v_likely limit c_most_gathered)
      union
      select w.conversation_id from public.title_words w where w.words @@ v_likely);
  end if;
  for v_text in
    (select w.conversation_id, w.words from public.message_words w where w.words @@ v_likely
      limit c_most_read)
    union all
    (select w.conversation_id, w.words from public.title_words w where w.words @@ v_likely limit c_most_read)
  loop
    if v_text.words @@ v_match then
      v_found := v_found || v_text.conversation_id;
    end if;
    exit when clock_timestamp() > v_ends;
  end loop;
  return v_found;
end $$;

-- Counts tokens that the server used for a user and that no row of a turn counts: those of a title, or of a
-- turn that is not kept. Since version 9.
-- @param user_id or null
-- @param key_name the API key whose budget they count in, or null
-- @param model, usage {input_tokens, output_tokens, reasoning_tokens, cached_input_tokens; since version 10,
--   tool_calls, tool_cost}
-- @param turns since version 10: 1 if they are a turn's; is_estimate: whether its model reported no usage
-- @param cost of the tokens, or null if unknown
-- @param counted_at the time, whose day (UTC) they count on
create or replace function public.chat_count_usage(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_day date := ((argument ->> 'counted_at')::timestamptz at time zone 'UTC')::date;
begin
  perform public.chat_check_version(argument);
  perform foreword.count_usage((argument ->> 'user_id')::uuid, v_day, 1, argument ->> 'model',
    argument -> 'usage' || jsonb_build_object('cost', argument ->> 'cost', 'turns', coalesce(argument -> 'turns', '0')),
    coalesce((argument ->> 'is_estimate')::boolean, false));
  if argument ->> 'key_name' is not null then
    perform foreword.count_cost(argument ->> 'key_name', v_day, coalesce((argument ->> 'cost')::numeric, 0)
      + coalesce((argument #>> '{usage,tool_cost}')::numeric, 0));
  end if;
  return '{}';
end $$;

-- Returns the usage of the user's turns by day and model, newest day first.
-- @param user_id or null
-- @param from, to days, both included
create or replace function public.chat_list_usage(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(to_jsonb(d) - 'user_id' order by d.day desc, d.model) from public.daily_usage d
    -- `is not distinct from` would read every row.
    where (d.user_id = v_user or (v_user is null and d.user_id is null))
      and d.day between (argument ->> 'from')::date and (argument ->> 'to')::date
      and (d.turns > 0 or d.input_tokens + d.output_tokens > 0)
  ), '[]');
end $$;

-- Returns the cost of an API key's turns that began on one day (UTC), as its budget counts it: turns that are
-- not over count with their reservations. Since version 10.
-- @param key_name, day
-- @returns {cost: as text}
create or replace function public.chat_read_key_cost(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  return jsonb_build_object('cost', coalesce((select c.cost from public.daily_costs c
    where c.subject = format('key %s', argument ->> 'key_name') and c.day = (argument ->> 'day')::date), 0)::text);
end $$;

-- Reserves up to `wanted` requests from the subject's one-minute window, which begins with its first request.
-- @param subject a user or an address
-- @param wanted
-- @param max requests per minute
-- @returns {granted, left, resets_in_ms: until the next window}
create or replace function public.chat_take_requests(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_subject text := argument ->> 'subject';
  v_max integer := (argument ->> 'max')::integer;
  v_now timestamptz := clock_timestamp();
  v_count public.request_counts;
  v_granted integer;
begin
  perform public.chat_check_version(argument);
  -- One statement: between two, another call could delete the row. A window that begins more than a minute in
  -- the future comes from another clock.
  insert into public.request_counts as c (subject, started_at, count) values (v_subject, v_now, 0)
    on conflict (subject) do update set
      started_at = case when abs(extract(epoch from v_now - c.started_at)) >= 60 then v_now
        else c.started_at end,
      count = case when abs(extract(epoch from v_now - c.started_at)) >= 60 then 0 else c.count end
    returning * into v_count;
  if v_count.started_at = v_now then
    delete from public.request_counts where subject in (
      select c.subject from public.request_counts c where c.started_at < v_now - interval '1 hour'
        limit 100 for update skip locked);
  end if;
  v_granted := greatest(least((argument ->> 'wanted')::integer, v_max - v_count.count), 0);
  update public.request_counts set count = v_count.count + v_granted where subject = v_subject;
  return jsonb_build_object('granted', v_granted, 'left', greatest(v_max - v_count.count - v_granted, 0),
    'resets_in_ms', ceil(extract(epoch from v_count.started_at + interval '1 minute' - v_now) * 1000));
end $$;

-- Returns attachments of the user, and some of their bytes.
-- @param user_id null for unowned attachments
-- @param parts [{id, first, count: of pieces}]
-- @returns [{id, media_type, size_bytes, digest, text_digest, name, object_path, pieces: [base64]}] in the
--   order of `parts`, without those that do not exist or belong to another user
create or replace function public.chat_read_attachments(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(jsonb_build_object(
        'id', a.id, 'media_type', a.media_type, 'size_bytes', a.size_bytes, 'digest', encode(a.digest, 'hex'),
        'text_digest', encode(a.text_digest, 'hex'), 'name', a.name, 'object_path', a.object_path,
        'pieces', (
          select coalesce(jsonb_agg(translate(encode(d.data, 'base64'), E'\n', '') order by d.number), '[]')
            from public.attachment_pieces d
            where d.attachment_id = a.id and d.number >= (p.part ->> 'first')::integer
              and d.number < (p.part ->> 'first')::integer + (p.part ->> 'count')::integer)
      ) order by p.place)
    from jsonb_array_elements(argument -> 'parts') with ordinality as p (part, place)
    join public.attachments a on a.id = (p.part ->> 'id')::uuid
    where a.user_id is not distinct from (argument ->> 'user_id')::uuid and a.stored_at is not null
  ), '[]');
end $$;

-- Stores attachments, or some of their bytes. Repeating it is harmless.
-- @param owner their user, or null
-- @param is_free whether to store those that no message holds yet: they go after a day if none does by then
-- @param attachments [{id, digest, text_digest, media_type, size_bytes, name, object_path: if the bytes
--   are in the bucket, first: the number of the first piece, pieces: [base64]}]
-- @returns {unused: the object paths that are not needed, as another one is stored, or no message holds the
--   attachment any more}
create or replace function public.chat_store_attachments(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_is_free boolean := coalesce((argument ->> 'is_free')::boolean, false);
  v_item jsonb;
  v_id uuid;
  v_path text;
  v_is_held boolean;
  v_unused jsonb := '[]';
begin
  perform public.chat_check_version(argument);
  delete from public.attachments where id in (
    select a.id from public.attachments a
      where not a.is_used and a.created_at < clock_timestamp() - interval '1 day'
      order by a.created_at limit 20 for update skip locked);
  for v_item in select value from jsonb_array_elements(argument -> 'attachments') order by value ->> 'id' loop
    v_id := (v_item ->> 'id')::uuid;
    -- A message that is deleted meanwhile waits, and then takes the attachment along.
    perform 1 from public.message_attachments m
      where m.attachment_id = v_id and m.user_id is not distinct from v_owner limit 1 for key share;
    v_is_held := found;
    if v_is_held or v_is_free then
      insert into public.attachments
          (id, user_id, digest, text_digest, media_type, size_bytes, name, object_path, is_used)
        values (v_id, v_owner, decode(v_item ->> 'digest', 'hex'), decode(v_item ->> 'text_digest', 'hex'),
          v_item ->> 'media_type', (v_item ->> 'size_bytes')::bigint, v_item ->> 'name',
          v_item ->> 'object_path', v_is_held)
        on conflict (id) do nothing;
      select a.object_path into v_path from public.attachments a where a.id = v_id for update;
      insert into public.attachment_pieces (attachment_id, number, data)
        select v_id, (v_item ->> 'first')::integer + p.place::integer - 1, decode(p.value, 'base64')
          from jsonb_array_elements_text(coalesce(v_item -> 'pieces', '[]')) with ordinality as p (value, place)
        on conflict (attachment_id, number) do nothing;
      update public.attachments a set stored_at = clock_timestamp()
        where a.id = v_id and a.stored_at is null and (a.object_path is not null or a.size_bytes = (
          select coalesce(sum(octet_length(p.data)), 0) from public.attachment_pieces p
            where p.attachment_id = v_id));
    end if;
    if v_item ->> 'object_path' is not null
      and (not (v_is_held or v_is_free) or v_path is distinct from v_item ->> 'object_path') then
      v_unused := v_unused || jsonb_build_array(v_item -> 'object_path');
    end if;
  end loop;
  return jsonb_build_object('unused', v_unused);
end $$;

-- Forgets objects that were deleted from the bucket, and returns others that must be.
-- @param deleted their paths
-- @param limit
-- @returns {paths, the oldest first}
create or replace function public.chat_take_deleted_objects(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  delete from public.deleted_objects d
    where d.path in (select jsonb_array_elements_text(argument -> 'deleted'));
  return jsonb_build_object('paths', coalesce((
    select jsonb_agg(d.path order by d.deleted_at) from (
      select * from public.deleted_objects o order by o.deleted_at limit (argument ->> 'limit')::integer) d
  ), '[]'));
end $$;

-- Deletes a document of a user, or a knowledge base with all its documents. Since version 11.
-- @param owner the user, or null
-- @param document_id, or null for a knowledge base
-- @param knowledge_base its name
-- @param max_passages about how many passages to delete at most: an embedded database does nothing else
--   meanwhile
-- @returns {found: whether there was anything to delete, more: whether to call again}
create or replace function public.chat_delete_documents(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  c_most_bytes constant bigint := 32 * 1024 * 1024; -- of originals
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_id uuid := (argument ->> 'document_id')::uuid;
  v_left integer := (argument ->> 'max_passages')::integer;
  v_bytes bigint := 0;
  v_base uuid;
  v_document record;
  v_count integer;
  v_found boolean := false;
begin
  perform public.chat_check_version(argument);
  if v_id is null then
    select b.id into v_base from public.knowledge_bases b
      where b.name = argument ->> 'knowledge_base'
        and (b.user_id = v_owner or (v_owner is null and b.user_id is null));
    if not found then
      return '{"found": false, "more": false}';
    end if;
    v_found := true;
  end if;
  for v_document in
    select d.id, d.size_bytes from public.documents d
      where (d.id = v_id or d.knowledge_base_id = v_base) and d.user_id is not distinct from v_owner
      order by d.id limit 100 for update
  loop
    v_found := true;
    delete from public.passages where (document_id, ordinal) in (
      select p.document_id, p.ordinal from public.passages p where p.document_id = v_document.id limit v_left);
    get diagnostics v_count = row_count;
    v_left := v_left - v_count;
    v_bytes := v_bytes + v_document.size_bytes;
    if v_left <= 0 then
      return '{"found": true, "more": true}';
    end if;
    delete from public.documents d where d.id = v_document.id;
    exit when v_bytes >= c_most_bytes;
  end loop;
  if v_base is not null then
    if exists (select from public.documents d where d.knowledge_base_id = v_base) then
      return '{"found": true, "more": true}';
    end if;
    delete from public.knowledge_bases b where b.id = v_base and not exists (
      select from public.documents d where d.knowledge_base_id = b.id);
  end if;
  return jsonb_build_object('found', v_found, 'more', false);
end $$;

-- Returns the passages of a knowledge base that hold the rarest of the given words. It runs as the service,
-- and the knowledge base is part of each word: behind row level security, word comparisons could not use an
-- index. A word that more than a third of many passages holds says little, nor does a group of letters that
-- more than one in twenty holds: it counts as if half of them held it, and only some are looked at. Groups in
-- a word that so many hold are at least as common, and are not looked for.
-- Since version 11.
-- @param owner the user, or null
-- @param knowledge_base its name
-- @param words groups of letters begin with a colon
-- @param limit
-- @returns {passage_count, word_count of the knowledge base, frequencies: in how many passages each word is,
--   passages: [{document_id, document_name, ordinal, page, heading, text}], the best first}, or
--   {missing: true} if there is no such knowledge base
create or replace function public.chat_find_passages(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off
  set plan_cache_mode = force_custom_plan as $$
declare
  c_least constant integer := 300; -- how many passages with a word are looked at, however common it is
  c_grouped_length constant integer := 4; -- shorter words have no groups
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_base uuid;
  v_count bigint;
  v_words bigint;
  v_most_words integer; -- passages with one word
  v_most integer; -- with one group
  v_found jsonb;
begin
  perform public.chat_check_version(argument);
  select b.id into v_base from public.knowledge_bases b
    where b.name = argument ->> 'knowledge_base'
      and (b.user_id = v_owner or (v_owner is null and b.user_id is null));
  if not found then
    return '{"missing": true}';
  end if;
  select coalesce(sum(d.passage_count), 0), coalesce(sum(d.word_count), 0) into v_count, v_words
    from public.documents d where d.knowledge_base_id = v_base;
  v_most := greatest(c_least, v_count / 20);
  v_most_words := greatest(c_least, v_count / 3);
  with asked as materialized (
    select a.number, a.word, left(a.word, 1) = ':' as is_group,
        quote_literal(left(v_base::text, 8) || a.word)::tsquery as query
      from jsonb_array_elements_text(argument -> 'words') with ordinality as a (word, number)
  ), words as materialized (
    -- Rows are named by their place in the table: within one statement it stays the same.
    select a.number, a.word, array(select p.ctid from public.passages p
        where p.words @@ a.query and p.knowledge_base_id = v_base limit v_most_words) as places
      from asked a where not a.is_group
  ), common as materialized (
    select w.word from words w
      where cardinality(w.places) >= v_most and char_length(w.word) >= c_grouped_length
  ), found as materialized (
    select w.number, w.places, cardinality(w.places) < v_most_words as is_rare from words w
    union all
    select a.number, g.places, cardinality(g.places) < v_most from asked a cross join lateral (
      select case when not exists (select from common c where strpos(c.word, substr(a.word, 2)) > 0)
        then array(select p.ctid from public.passages p
          where p.words @@ a.query and p.knowledge_base_id = v_base limit v_most) end as places offset 0) g
      where a.is_group
  ), counted as (
    select f.number, f.places, f.is_rare, case when f.is_rare then cardinality(f.places)
        else greatest(cardinality(f.places), v_count / 2) end as count
      from found f
  ), weighted as materialized (
    -- Whole numbers, whose sum is the same in any order.
    select c.number, c.count, case when c.is_rare then c.places else c.places[:c_least] end as places,
        case when c.is_rare
          then 1 + round(1000 * ln(1 + (greatest(v_count, c.count) - c.count + 0.5) / (c.count + 0.5)))::integer
          else 1 end as weight
      from counted c
  ), best as materialized (
    select h.place, sum(w.weight) as score from weighted w cross join unnest(w.places) as h (place)
      group by h.place order by score desc, h.place limit (argument ->> 'limit')::integer
  )
  select jsonb_build_object('passage_count', v_count, 'word_count', v_words,
      'frequencies', (select coalesce(jsonb_agg(w.count order by w.number), '[]') from weighted w),
      'passages', (
        select coalesce(jsonb_agg(jsonb_build_object('document_id', p.document_id, 'document_name', d.name,
            'ordinal', p.ordinal, 'page', p.page, 'heading', p.heading, 'text', p.text)
            order by b.score desc, p.document_id, p.ordinal), '[]')
          from best b
          -- With a limit the planner looks each up, and does not read all passages.
          cross join lateral (select * from public.passages f where f.ctid = b.place limit 1) p
          cross join lateral (select * from public.documents f where f.id = p.document_id limit 1) d))
    into v_found;
  return v_found;
end $$;

-- Returns the passages of a knowledge base whose vectors are nearest to a question's, by the distances to all
-- of them. It runs as the service, and reads one knowledge base. Since version 12.
-- @param owner the user, or null
-- @param knowledge_base its name
-- @param model as in chat_take_unembedded
-- @param vector the question's, of length 1, as a text
-- @param limit
-- @param others [{document_id, ordinal}] of passages that are returned as well, if they have a vector
-- @returns {is_available: whether vectors can be stored, passages: [{document_id, document_name, ordinal,
--   page, heading, text, similarity: the cosine}], the nearest first; those of `others` without a text}
create or replace function public.chat_find_similar(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_schema text := foreword.vector_schema();
  v_base uuid;
  v_found jsonb;
begin
  perform public.chat_check_version(argument);
  if v_schema is null then
    return '{"is_available": false, "passages": []}';
  end if;
  select b.id into v_base from public.knowledge_bases b
    where b.name = argument ->> 'knowledge_base'
      and (b.user_id = v_owner or (v_owner is null and b.user_id is null));
  execute format($sql$
    with near as materialized (
      select v.document_id, v.ordinal, v.vector operator(%1$I.<#>) %2$L::%1$I.vector as distance
        from public.passage_vectors v where v.knowledge_base_id = $1 and v.model = $2
        order by distance limit $3
    ), others as materialized (
      select v.document_id, v.ordinal, v.vector operator(%1$I.<#>) %2$L::%1$I.vector as distance
        from jsonb_to_recordset($4) as o (document_id uuid, ordinal integer)
          cross join lateral (select * from public.passage_vectors f
            where f.document_id = o.document_id and f.ordinal = o.ordinal limit 1) v
        where v.knowledge_base_id = $1 and v.model = $2
    ), found as (
      select n.*, p.page, p.heading, p.text, d.name from near n
          -- With a limit the planner looks each up, and does not read all passages.
          cross join lateral (select * from public.passages f
            where f.document_id = n.document_id and f.ordinal = n.ordinal limit 1) p
          cross join lateral (select * from public.documents f where f.id = n.document_id limit 1) d
        where not exists (select from others o where (o.document_id, o.ordinal) = (n.document_id, n.ordinal))
      union all
      select o.*, null, null, null, null from others o
    )
    select coalesce(jsonb_agg(jsonb_build_object('document_id', f.document_id, 'document_name', f.name,
        'ordinal', f.ordinal, 'page', f.page, 'heading', f.heading, 'text', f.text, 'similarity', -f.distance)
        order by f.distance, f.document_id, f.ordinal), '[]') from found f
    $sql$, v_schema, argument ->> 'vector')
    into v_found
    using v_base, argument ->> 'model', (argument ->> 'limit')::integer, coalesce(argument -> 'others', '[]');
  return jsonb_build_object('is_available', true, 'passages', v_found);
end $$;

-- Returns documents of the user, newest first. Since version 11.
-- @param user_id or null
-- @param document_id of the only one wanted, or null
-- @param knowledge_base the name of the one whose documents are wanted, or null
-- @param limit
-- @param before {created_at, id} of the last document of the page before, or null
-- @returns [{id, knowledge_base, name, type, size_bytes, state, error_code, pages_read, pages, passage_count,
--   embedded_count: how many passages have a vector, since version 12, created_at}], or {missing: true} if
--   there is no such knowledge base
create or replace function public.chat_list_documents(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_name text := argument ->> 'knowledge_base';
  v_id uuid := (argument ->> 'document_id')::uuid;
  v_base uuid;
begin
  perform public.chat_become_caller(argument);
  if v_id is null then
    select b.id into v_base from public.knowledge_bases b
      where b.name = v_name and (b.user_id = v_user or (v_user is null and b.user_id is null));
    if not found then
      return '{"missing": true}';
    end if;
  end if;
  return coalesce((
    select jsonb_agg(to_jsonb(l) order by l.created_at desc, l.id desc) from (
      select d.id, b.name as knowledge_base, d.name, d.type, d.size_bytes, d.state, d.error_code, d.pages_read,
          d.pages, d.passage_count, d.embedded_count, d.created_at
        from public.documents d join public.knowledge_bases b on b.id = d.knowledge_base_id
        where (v_id is null or d.id = v_id) and (v_base is null or d.knowledge_base_id = v_base)
          and d.user_id is not distinct from v_user
          and (d.created_at, d.id) < (coalesce((argument #>> '{before,created_at}')::timestamptz, 'infinity'),
            coalesce((argument #>> '{before,id}')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        order by d.created_at desc, d.id desc limit (argument ->> 'limit')::integer) l
  ), '[]');
end $$;

-- Returns the user's knowledge bases by name, at most 1,000. Since version 11.
-- @param user_id or null
-- @returns [{name, documents, waiting, failed: how many, passages, size_bytes, created_at}]
create or replace function public.chat_list_knowledge_bases(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(to_jsonb(l) order by l.name collate "C") from (
      select b.name, count(d.id) as documents, count(d.id) filter (where d.state = 'waiting') as waiting,
          count(d.id) filter (where d.state = 'failed') as failed,
          coalesce(sum(d.passage_count), 0) as passages, coalesce(sum(d.size_bytes), 0) as size_bytes,
          b.created_at
        from public.knowledge_bases b left join public.documents d on d.knowledge_base_id = b.id
        where b.user_id = v_user or (v_user is null and b.user_id is null)
        group by b.id order by b.name collate "C" limit 1000) l
  ), '[]');
end $$;

-- Returns passages of a document of the user, in order. Since version 11.
-- @param user_id or null
-- @param document_id
-- @param page of the only page wanted, or null
-- @param first the ordinal of the first one wanted
-- @param limit
-- @returns [{ordinal, page, heading, text}]
create or replace function public.chat_read_document(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_page integer := (argument ->> 'page')::integer;
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(to_jsonb(l) order by l.ordinal) from (
      select p.ordinal, p.page, p.heading, p.text from public.passages p
        where p.document_id = (argument ->> 'document_id')::uuid
          and p.user_id is not distinct from (argument ->> 'user_id')::uuid
          and (v_page is null or p.page = v_page) and p.ordinal >= (argument ->> 'first')::integer
        order by p.ordinal limit (argument ->> 'limit')::integer) l
  ), '[]');
end $$;

-- Adds a document to a knowledge base, which is created if need be; it waits to be read, once its original
-- is stored as the attachment of its id. A document that is there stays as it is, unless it failed: then it
-- waits to be read again. Since version 11.
-- @param owner its user, or null
-- @param knowledge_base its name
-- @param id, name, type, size_bytes of the document
-- @param max_documents, max_passages of its user; max_bytes of all attachments of its user, or null
-- @returns {is_stored: whether its original is} or {is_full: true} if its user has no room for it
create or replace function public.chat_save_document(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_id uuid := (argument ->> 'id')::uuid;
  v_base uuid;
  v_used record;
  v_bytes bigint;
begin
  perform public.chat_check_version(argument);
  update public.documents d
    set state = 'waiting', error_code = null, attempts = 0, pages_read = 0, lease_id = null, lease_until = null
    where d.id = v_id and d.state = 'failed';
  if not exists (select from public.documents d where d.id = v_id) then
    select count(*) as documents, coalesce(sum(d.passage_count), 0) as passages into v_used
      from public.knowledge_bases b join public.documents d on d.knowledge_base_id = b.id
      where b.user_id = v_owner or (v_owner is null and b.user_id is null);
    select coalesce(sum(a.size_bytes), 0) + (argument ->> 'size_bytes')::bigint into v_bytes
      from public.attachments a
      where a.id <> v_id and (a.user_id = v_owner or (v_owner is null and a.user_id is null));
    if v_used.documents >= (argument ->> 'max_documents')::integer
      or v_used.passages >= (argument ->> 'max_passages')::integer
      or v_bytes > (argument ->> 'max_bytes')::bigint
    then
      return '{"is_full": true}';
    end if;
    loop
      insert into public.knowledge_bases (user_id, name) values (v_owner, argument ->> 'knowledge_base')
        on conflict (user_id, name) do nothing;
      select b.id into v_base from public.knowledge_bases b
        where b.name = argument ->> 'knowledge_base'
          and (b.user_id = v_owner or (v_owner is null and b.user_id is null)) for key share;
      exit when found; -- it may be deleted meanwhile
    end loop;
    insert into public.documents (id, user_id, knowledge_base_id, name, type, size_bytes)
      values (v_id, v_owner, v_base, argument ->> 'name', argument ->> 'type',
        (argument ->> 'size_bytes')::bigint)
      on conflict (id) do nothing;
  end if;
  update public.attachments a set is_used = true where a.id = v_id and a.stored_at is not null and not a.is_used;
  return jsonb_build_object('is_stored', exists (
    select from public.attachments a where a.id = v_id and a.stored_at is not null));
end $$;

-- Stores passages of a document that was taken to be read, and how far the reading is. It may be repeated,
-- and it replaces the passages of an earlier reading. Since version 11.
-- @param document_id, lease_id, lease_ms as in chat_take_document
-- @param passages [{ordinal, page, heading, text, words: a tsvector}]
-- @param pages_read, pages, passage_count, word_count in all so far
-- @param max_passages of the document's user, in all
-- @param end null, or {state, error_code}: `ready`, `failed` or, to give the lease back, `waiting`
-- @param max_deleted about how many passages of an earlier reading are deleted at most
-- @returns {is_held: whether the reading is still this lease's, is_full: whether nothing was stored because
--   the user has no room, more: whether to end it again, because passages are left to delete}
create or replace function public.chat_save_passages(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  v_document public.documents;
  v_count integer := (argument ->> 'passage_count')::integer;
  v_state text := argument #>> '{end,state}';
  v_used bigint;
  v_deleted integer;
begin
  perform public.chat_check_version(argument);
  select * into v_document from public.documents d
    where d.id = (argument ->> 'document_id')::uuid and d.lease_id = (argument ->> 'lease_id')::uuid
      and d.state = 'waiting' for update;
  if not found then
    return '{"is_held": false, "is_full": false, "more": false}';
  end if;
  if v_state = 'waiting' then
    update public.documents d set lease_id = null, lease_until = null, attempts = d.attempts - 1
      where d.id = v_document.id;
    return '{"is_held": true, "is_full": false, "more": false}';
  end if;
  if jsonb_array_length(argument -> 'passages') > 0 then
    select coalesce(sum(d.passage_count), 0) into v_used
      from public.knowledge_bases b join public.documents d on d.knowledge_base_id = b.id
      where d.id <> v_document.id
        and (b.user_id = v_document.user_id or (v_document.user_id is null and b.user_id is null));
    if v_used + v_count > (argument ->> 'max_passages')::integer then
      return '{"is_held": true, "is_full": true, "more": false}';
    end if;
    insert into public.passages as p
        (document_id, ordinal, user_id, knowledge_base_id, page, heading, text, words)
      select v_document.id, n.ordinal, v_document.user_id, v_document.knowledge_base_id, n.page, n.heading,
          n.text, n.words::tsvector
        from jsonb_to_recordset(argument -> 'passages')
          as n (ordinal integer, page integer, heading text, text text, words text)
      on conflict (document_id, ordinal) do update
        set page = excluded.page, heading = excluded.heading, text = excluded.text, words = excluded.words
        where (p.page, p.heading, p.text, p.words)
          is distinct from (excluded.page, excluded.heading, excluded.text, excluded.words);
  end if;
  if v_state is not null then
    delete from public.passages where (document_id, ordinal) in (
      select p.document_id, p.ordinal from public.passages p
        where p.document_id = v_document.id and (v_state = 'failed' or p.ordinal >= v_count)
        limit (argument ->> 'max_deleted')::integer);
    get diagnostics v_deleted = row_count;
    if v_deleted >= (argument ->> 'max_deleted')::integer then
      return '{"is_held": true, "is_full": false, "more": true}';
    end if;
  end if;
  update public.documents d
    set pages_read = (argument ->> 'pages_read')::integer, pages = (argument ->> 'pages')::integer,
      passage_count = case when v_state = 'failed' then 0 else v_count end,
      word_count = case when v_state = 'failed' then 0 else (argument ->> 'word_count')::integer end,
      state = coalesce(v_state, 'waiting'), error_code = argument #>> '{end,error_code}',
      lease_id = case when v_state is null then d.lease_id end,
      lease_until = case when v_state is null
        then clock_timestamp() + (argument ->> 'lease_ms')::integer * interval '1 millisecond' end
    where d.id = v_document.id;
  return '{"is_held": true, "is_full": false, "more": false}';
end $$;

-- Stores vectors of passages that were taken to be embedded. It may be repeated. Since version 12.
-- @param document_id, lease_id, model as in chat_take_unembedded
-- @param vectors [{ordinal, vector: its text}] of length 1
-- @param next the ordinal of the first passage without a vector, besides those that cannot have one
-- @param lease_ms how long the document is left to this lease from now on, or null to give it back
-- @returns {is_held: whether the document still was this lease's}
create or replace function public.chat_save_vectors(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  v_id uuid := (argument ->> 'document_id')::uuid;
  v_schema text := foreword.vector_schema();
begin
  perform public.chat_check_version(argument);
  update public.documents d
    set embedded_count = (argument ->> 'next')::integer, embedded_at = clock_timestamp(),
      embedding_lease_until = clock_timestamp() + (argument ->> 'lease_ms')::integer * interval '1 millisecond'
    where d.id = v_id and d.embedding_lease_id = (argument ->> 'lease_id')::uuid and d.state = 'ready'
      and d.embedding_model = argument ->> 'model' and v_schema is not null;
  if not found then
    return '{"is_held": false}';
  end if;
  execute format($sql$
    insert into public.passage_vectors (document_id, ordinal, user_id, knowledge_base_id, model, vector)
      select p.document_id, p.ordinal, p.user_id, p.knowledge_base_id, $3, n.vector::%I.vector
        from jsonb_to_recordset($2) as n (ordinal integer, vector text)
          join public.passages p on p.document_id = $1 and p.ordinal = n.ordinal
      on conflict (document_id, ordinal) do update set model = excluded.model, vector = excluded.vector
    $sql$, v_schema) using v_id, argument -> 'vectors', argument ->> 'model';
  return '{"is_held": true}';
end $$;

-- Takes a document to be read: of the knowledge base that has waited longest, so that one with many documents
-- does not hold up the others. Nothing here waits for another transaction's lock. Since version 11.
-- @param lease_id a new id
-- @param lease_ms how long the reading is left to this lease, unless it says that it goes on
-- @returns {document: null, or {id, user_id, knowledge_base_id, name, type, attempts: with this one}}
create or replace function public.chat_take_document(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_document public.documents;
begin
  perform public.chat_check_version(argument);
  -- Documents whose originals never came.
  delete from public.documents where id in (
    select d.id from public.documents d
      where d.state = 'waiting' and d.created_at < v_now - interval '1 day' and not exists (
        select from public.attachments a where a.id = d.id and a.stored_at is not null)
      order by d.created_at limit 20 for update skip locked);
  select d.* into v_document
    from public.documents d join public.knowledge_bases b on b.id = d.knowledge_base_id
    where d.state = 'waiting' and (d.lease_until is null or d.lease_until < v_now)
      and exists (select from public.attachments a where a.id = d.id and a.is_used and a.stored_at is not null)
    order by b.taken_at nulls first, d.created_at limit 1 for update of d skip locked;
  if not found then
    return '{"document": null}';
  end if;
  update public.documents d
    set lease_id = (argument ->> 'lease_id')::uuid, attempts = d.attempts + 1,
      lease_until = v_now + (argument ->> 'lease_ms')::integer * interval '1 millisecond'
    where d.id = v_document.id;
  update public.knowledge_bases set taken_at = v_now where id in (
    select b.id from public.knowledge_bases b where b.id = v_document.knowledge_base_id for update skip locked);
  return jsonb_build_object('document', jsonb_build_object('id', v_document.id, 'user_id', v_document.user_id,
    'knowledge_base_id', v_document.knowledge_base_id, 'name', v_document.name,
    'type', v_document.type, 'attempts', v_document.attempts + 1));
end $$;

-- Takes passages to be embedded: of a document that has been read, of the knowledge base that has waited
-- longest. It looks at 500 knowledge bases with documents that have never been embedded, however many each
-- has, and at 500 other documents. A document with vectors of another model loses them one by one, as those
-- of this model come; not while that model may be at work, as it is when servers are replaced one after the
-- other.
-- Since version 12.
-- @param model with its width, or null only to find out whether vectors can be stored
-- @param lease_id a new id
-- @param lease_ms how long the document is left to this lease
-- @param settled_ms how long ago another model's last vector must have come
-- @param limit of passages
-- @returns {is_available: whether vectors can be stored, document: null, or {id, passage_count, passages:
--   [{ordinal, heading, text}]}}
create or replace function public.chat_take_unembedded(argument jsonb) returns jsonb
language plpgsql set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_now timestamptz := clock_timestamp();
  v_model text := argument ->> 'model';
  v_settled timestamptz := v_now - (argument ->> 'settled_ms')::integer * interval '1 millisecond';
  v_document public.documents;
  v_first integer;
begin
  perform public.chat_check_version(argument);
  if foreword.vector_schema() is null then
    return '{"is_available": false, "document": null}';
  end if;
  with recursive bases as (
    -- One step of the index for each.
    (select c.knowledge_base_id as id from public.documents c
      where c.state = 'ready' and c.embedding_model is null order by c.knowledge_base_id limit 1)
    union all
    select n.id from bases b, lateral (
      select c.knowledge_base_id as id from public.documents c
        where c.state = 'ready' and c.embedding_model is null and c.knowledge_base_id > b.id
        order by c.knowledge_base_id limit 1) n
  )
  select d.* into v_document
    from (
      -- Some of each, since other servers may be taking the first ones.
      (select n.id from (select b.id from bases b limit 500) b, lateral (
        select c.id from public.documents c
          where c.state = 'ready' and c.embedding_model is null and c.knowledge_base_id = b.id
          order by c.created_at limit 3) n)
      union all
      -- Each alternative is a range of the index.
      (select c.id from public.documents c
        where c.state = 'ready' and (c.embedding_lease_until is null or c.embedding_lease_until < v_now)
          and ((c.embedding_model = v_model and c.passage_count - c.embedded_count > 0)
            or (c.embedding_model < v_model and c.embedded_at < v_settled)
            or (c.embedding_model > v_model and c.embedded_at < v_settled))
        limit 500)) w
      join public.documents d on d.id = w.id join public.knowledge_bases b on b.id = d.knowledge_base_id
    where d.embedding_lease_until is null or d.embedding_lease_until < v_now
    order by b.embedded_at nulls first, d.created_at limit 1 for update of d skip locked;
  if not found or v_model is null then
    return '{"is_available": true, "document": null}';
  end if;
  v_first := case when v_document.embedding_model = v_model then v_document.embedded_count else 0 end;
  update public.documents d
    set embedding_model = v_model, embedded_count = v_first, embedding_lease_id = (argument ->> 'lease_id')::uuid,
      embedded_at = v_now,
      embedding_lease_until = v_now + (argument ->> 'lease_ms')::integer * interval '1 millisecond'
    where d.id = v_document.id;
  update public.knowledge_bases set embedded_at = v_now where id in (
    select b.id from public.knowledge_bases b where b.id = v_document.knowledge_base_id for update skip locked);
  return jsonb_build_object('is_available', true, 'document', jsonb_build_object('id', v_document.id,
    'passage_count', v_document.passage_count,
    'passages', (
      select coalesce(jsonb_agg(to_jsonb(l) order by l.ordinal), '[]') from (
        select p.ordinal, p.heading, p.text from public.passages p
          where p.document_id = v_document.id and p.ordinal >= v_first
          order by p.ordinal limit (argument ->> 'limit')::integer) l)));
end $$;

-- Functions that only servers of earlier versions called.
do $$
declare
  v_function text;
begin
  foreach v_function in array array['chat_search_unread(jsonb)', 'chat_split_query(jsonb)'] loop
    if to_regprocedure('public.' || v_function) is not null then
      execute format('drop function public.%s', v_function);
    end if;
  end loop;
end $$;

do $$
declare
  v_function text;
  -- Its servers may connect as this role, though another one may apply this file.
  v_owner text := (select p.proowner::regrole from pg_proc p
    where p.oid = 'public.chat_describe_schema(jsonb)'::regprocedure);
begin
  if v_owner <> quote_ident(current_user) then
    foreach v_function in array array[
    'public.chat_become_caller(jsonb)',
    'public.chat_become_user(jsonb)',
    'public.chat_check_version(jsonb)',
    'public.chat_describe_schema(jsonb)',
    'public.chat_list_visible_tables(jsonb)',
    'public.chat_try_write(jsonb)',
    'public.chat_add_messages(jsonb)',
    'public.chat_change_message(jsonb)',
    'public.chat_find_chat(jsonb)',
    'public.chat_find_message(jsonb)',
    'public.chat_find_place(jsonb)',
    'public.chat_find_summaries(jsonb)',
    'public.chat_hold_reply(jsonb)',
    'public.chat_list_messages(jsonb)',
    'public.chat_list_path(jsonb)',
    'public.chat_read_chat(jsonb)',
    'public.chat_read_path(jsonb)',
    'public.chat_save_messages(jsonb)',
    'public.chat_save_summary(jsonb)',
    'public.chat_answer_approvals(jsonb)',
    'public.chat_begin_turn(jsonb)',
    'public.chat_claim_waiting(jsonb)',
    'public.chat_delete_turn(jsonb)',
    'public.chat_end_turn(jsonb)',
    'public.chat_find_limit(jsonb)',
    'public.chat_find_newest_turn(jsonb)',
    'public.chat_list_abandoned_turns(jsonb)',
    'public.chat_pause_turn(jsonb)',
    'public.chat_read_turn(jsonb)',
    'public.chat_request_stop(jsonb)',
    'public.chat_save_progress(jsonb)',
    'public.chat_create_conversation(jsonb)',
    'public.chat_delete_conversations(jsonb)',
    'public.chat_delete_expired(jsonb)',
    'public.chat_get_conversation(jsonb)',
    'public.chat_list_conversations(jsonb)',
    'public.chat_title_conversation(jsonb)',
    'public.chat_update_conversation(jsonb)',
    'public.chat_find_hits(jsonb)',
    'public.chat_index_texts(jsonb)',
    'public.chat_search_conversations(jsonb)',
    'public.chat_count_usage(jsonb)',
    'public.chat_list_usage(jsonb)',
    'public.chat_read_key_cost(jsonb)',
    'public.chat_take_requests(jsonb)',
    'public.chat_read_attachments(jsonb)',
    'public.chat_store_attachments(jsonb)',
    'public.chat_take_deleted_objects(jsonb)',
    'public.chat_delete_documents(jsonb)',
    'public.chat_find_passages(jsonb)',
    'public.chat_find_similar(jsonb)',
    'public.chat_list_documents(jsonb)',
    'public.chat_list_knowledge_bases(jsonb)',
    'public.chat_read_document(jsonb)',
    'public.chat_save_document(jsonb)',
    'public.chat_save_passages(jsonb)',
    'public.chat_save_vectors(jsonb)',
    'public.chat_take_document(jsonb)',
    'public.chat_take_unembedded(jsonb)',
    'public.chat_bury_conversations()',
    'public.chat_count_deleted_turns()',
    'public.chat_count_path()',
    'public.chat_delete_object()',
    'public.chat_mark_attachments()',
    'public.chat_mark_message()',
    'public.chat_mark_title()',
    'public.chat_release_attachment()',
    'public.chat_release_document()',
    'foreword.add_results(jsonb, jsonb)',
    'foreword.adopt_old_rows(uuid, uuid, jsonb)',
    'foreword.append_path(uuid, uuid, uuid, bytea, integer, jsonb)',
    'foreword.check_version(jsonb)',
    'foreword.claim_turn(uuid, jsonb)',
    'foreword.complete_held_reply(uuid, text, jsonb, text, bytea, boolean)',
    'foreword.continue_reply(uuid, uuid, uuid, text, jsonb)',
    'foreword.count_cost(text, date, numeric)',
    'foreword.count_usage(uuid, date, integer, text, jsonb, boolean)',
    'foreword.create_conversation(uuid, uuid, jsonb)',
    'foreword.delete_unused(uuid, uuid)',
    'foreword.enter_backlog()',
    'foreword.exceeds_attachments(jsonb)',
    'foreword.extend_reply(uuid, uuid, uuid, jsonb)',
    'foreword.find_attachments(jsonb)',
    'foreword.find_candidate(uuid, jsonb)',
    'foreword.find_conversation(jsonb)',
    'foreword.find_earlier_reply(uuid, uuid, jsonb)',
    'foreword.find_running(jsonb)',
    'foreword.find_settled(uuid, uuid)',
    'foreword.find_unseen_reply(uuid, uuid, timestamptz)',
    'foreword.find_words(uuid, uuid, jsonb)',
    'foreword.list_pending_approvals(uuid)',
    'foreword.match_below(uuid, uuid, jsonb)',
    'foreword.match_message(uuid, uuid, jsonb, boolean)',
    'foreword.merge_tools(jsonb, jsonb)',
    'foreword.message_bytes(text, jsonb)',
    'foreword.next_time(uuid)',
    'foreword.path_bytes(uuid)',
    'foreword.save_items(uuid, jsonb)',
    'foreword.settle_approvals(uuid, jsonb)',
    'foreword.start_conversation(jsonb)',
    'foreword.store_reply(uuid, uuid, uuid, uuid, jsonb)',
    'foreword.store_words(uuid, text, jsonb)',
    'foreword.take_turn_over(uuid, uuid, uuid, jsonb)',
    'foreword.to_cost(jsonb, jsonb)',
    'foreword.to_object(jsonb)',
    'foreword.trim_tools(jsonb)',
    'foreword.vector_schema()'
    ] loop
      if (select pg_get_userbyid(p.proowner) = current_user from pg_proc p
        where p.oid = v_function::regprocedure) then
        execute format('alter function %s owner to %s', v_function::regprocedure, v_owner);
      end if;
    end loop;
    if (select pg_get_userbyid(n.nspowner) = current_user from pg_namespace n where n.nspname = 'foreword') then
      execute format('alter schema foreword owner to %s', v_owner);
    end if;
  end if;
  foreach v_function in array array[
    'public.chat_become_caller(jsonb)',
    'public.chat_become_user(jsonb)',
    'public.chat_check_version(jsonb)',
    'public.chat_describe_schema(jsonb)',
    'public.chat_list_visible_tables(jsonb)',
    'public.chat_try_write(jsonb)',
    'public.chat_add_messages(jsonb)',
    'public.chat_change_message(jsonb)',
    'public.chat_find_chat(jsonb)',
    'public.chat_find_message(jsonb)',
    'public.chat_find_place(jsonb)',
    'public.chat_find_summaries(jsonb)',
    'public.chat_hold_reply(jsonb)',
    'public.chat_list_messages(jsonb)',
    'public.chat_list_path(jsonb)',
    'public.chat_read_chat(jsonb)',
    'public.chat_read_path(jsonb)',
    'public.chat_save_messages(jsonb)',
    'public.chat_save_summary(jsonb)',
    'public.chat_answer_approvals(jsonb)',
    'public.chat_begin_turn(jsonb)',
    'public.chat_claim_waiting(jsonb)',
    'public.chat_delete_turn(jsonb)',
    'public.chat_end_turn(jsonb)',
    'public.chat_find_limit(jsonb)',
    'public.chat_find_newest_turn(jsonb)',
    'public.chat_list_abandoned_turns(jsonb)',
    'public.chat_pause_turn(jsonb)',
    'public.chat_read_turn(jsonb)',
    'public.chat_request_stop(jsonb)',
    'public.chat_save_progress(jsonb)',
    'public.chat_create_conversation(jsonb)',
    'public.chat_delete_conversations(jsonb)',
    'public.chat_delete_expired(jsonb)',
    'public.chat_get_conversation(jsonb)',
    'public.chat_list_conversations(jsonb)',
    'public.chat_title_conversation(jsonb)',
    'public.chat_update_conversation(jsonb)',
    'public.chat_find_hits(jsonb)',
    'public.chat_index_texts(jsonb)',
    'public.chat_search_conversations(jsonb)',
    'public.chat_count_usage(jsonb)',
    'public.chat_list_usage(jsonb)',
    'public.chat_read_key_cost(jsonb)',
    'public.chat_take_requests(jsonb)',
    'public.chat_read_attachments(jsonb)',
    'public.chat_store_attachments(jsonb)',
    'public.chat_take_deleted_objects(jsonb)',
    'public.chat_delete_documents(jsonb)',
    'public.chat_find_passages(jsonb)',
    'public.chat_find_similar(jsonb)',
    'public.chat_list_documents(jsonb)',
    'public.chat_list_knowledge_bases(jsonb)',
    'public.chat_read_document(jsonb)',
    'public.chat_save_document(jsonb)',
    'public.chat_save_passages(jsonb)',
    'public.chat_save_vectors(jsonb)',
    'public.chat_take_document(jsonb)',
    'public.chat_take_unembedded(jsonb)'
  ] loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function::regprocedure);
    execute format('grant execute on function %s to service_role', v_function::regprocedure);
    -- PostgREST applies it to the whole transaction; elsewhere the server sends the rest of its deadline.
    execute format('alter function %s set statement_timeout = %L', v_function::regprocedure, '5s');
  end loop;
  foreach v_function in array array[
    'public.chat_bury_conversations()',
    'public.chat_count_deleted_turns()',
    'public.chat_count_path()',
    'public.chat_delete_object()',
    'public.chat_mark_attachments()',
    'public.chat_mark_message()',
    'public.chat_mark_title()',
    'public.chat_release_attachment()',
    'public.chat_release_document()',
    'foreword.add_results(jsonb, jsonb)',
    'foreword.adopt_old_rows(uuid, uuid, jsonb)',
    'foreword.append_path(uuid, uuid, uuid, bytea, integer, jsonb)',
    'foreword.check_version(jsonb)',
    'foreword.claim_turn(uuid, jsonb)',
    'foreword.complete_held_reply(uuid, text, jsonb, text, bytea, boolean)',
    'foreword.continue_reply(uuid, uuid, uuid, text, jsonb)',
    'foreword.count_cost(text, date, numeric)',
    'foreword.count_usage(uuid, date, integer, text, jsonb, boolean)',
    'foreword.create_conversation(uuid, uuid, jsonb)',
    'foreword.delete_unused(uuid, uuid)',
    'foreword.enter_backlog()',
    'foreword.exceeds_attachments(jsonb)',
    'foreword.extend_reply(uuid, uuid, uuid, jsonb)',
    'foreword.find_attachments(jsonb)',
    'foreword.find_candidate(uuid, jsonb)',
    'foreword.find_conversation(jsonb)',
    'foreword.find_earlier_reply(uuid, uuid, jsonb)',
    'foreword.find_running(jsonb)',
    'foreword.find_settled(uuid, uuid)',
    'foreword.find_unseen_reply(uuid, uuid, timestamptz)',
    'foreword.find_words(uuid, uuid, jsonb)',
    'foreword.list_pending_approvals(uuid)',
    'foreword.match_below(uuid, uuid, jsonb)',
    'foreword.match_message(uuid, uuid, jsonb, boolean)',
    'foreword.merge_tools(jsonb, jsonb)',
    'foreword.message_bytes(text, jsonb)',
    'foreword.next_time(uuid)',
    'foreword.path_bytes(uuid)',
    'foreword.save_items(uuid, jsonb)',
    'foreword.settle_approvals(uuid, jsonb)',
    'foreword.start_conversation(jsonb)',
    'foreword.store_reply(uuid, uuid, uuid, uuid, jsonb)',
    'foreword.store_words(uuid, text, jsonb)',
    'foreword.take_turn_over(uuid, uuid, uuid, jsonb)',
    'foreword.to_cost(jsonb, jsonb)',
    'foreword.to_object(jsonb)',
    'foreword.trim_tools(jsonb)',
    'foreword.vector_schema()'
  ] loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function::regprocedure);
  end loop;
  foreach v_function in array array[
    'foreword.add_results(jsonb, jsonb)',
    'foreword.adopt_old_rows(uuid, uuid, jsonb)',
    'foreword.append_path(uuid, uuid, uuid, bytea, integer, jsonb)',
    'foreword.check_version(jsonb)',
    'foreword.claim_turn(uuid, jsonb)',
    'foreword.complete_held_reply(uuid, text, jsonb, text, bytea, boolean)',
    'foreword.continue_reply(uuid, uuid, uuid, text, jsonb)',
    'foreword.count_cost(text, date, numeric)',
    'foreword.count_usage(uuid, date, integer, text, jsonb, boolean)',
    'foreword.create_conversation(uuid, uuid, jsonb)',
    'foreword.delete_unused(uuid, uuid)',
    'foreword.enter_backlog()',
    'foreword.exceeds_attachments(jsonb)',
    'foreword.extend_reply(uuid, uuid, uuid, jsonb)',
    'foreword.find_attachments(jsonb)',
    'foreword.find_candidate(uuid, jsonb)',
    'foreword.find_conversation(jsonb)',
    'foreword.find_earlier_reply(uuid, uuid, jsonb)',
    'foreword.find_running(jsonb)',
    'foreword.find_settled(uuid, uuid)',
    'foreword.find_unseen_reply(uuid, uuid, timestamptz)',
    'foreword.find_words(uuid, uuid, jsonb)',
    'foreword.list_pending_approvals(uuid)',
    'foreword.match_below(uuid, uuid, jsonb)',
    'foreword.match_message(uuid, uuid, jsonb, boolean)',
    'foreword.merge_tools(jsonb, jsonb)',
    'foreword.message_bytes(text, jsonb)',
    'foreword.next_time(uuid)',
    'foreword.path_bytes(uuid)',
    'foreword.save_items(uuid, jsonb)',
    'foreword.settle_approvals(uuid, jsonb)',
    'foreword.start_conversation(jsonb)',
    'foreword.store_reply(uuid, uuid, uuid, uuid, jsonb)',
    'foreword.store_words(uuid, text, jsonb)',
    'foreword.take_turn_over(uuid, uuid, uuid, jsonb)',
    'foreword.to_cost(jsonb, jsonb)',
    'foreword.to_object(jsonb)',
    'foreword.trim_tools(jsonb)',
    'foreword.vector_schema()'
  ] loop
    execute format('grant execute on function %s to service_role, %s', v_function::regprocedure, v_owner);
  end loop;
  execute format('grant usage on schema foreword to %s', v_owner);
  execute format('grant select on foreword.schema_steps to %s', v_owner);
end $$;

-- The one function of the mode without a service-role key: it stores messages with their user's own token.
-- Its parts run as that user too; they are in a schema that no API exposes.
grant execute on function public.chat_save_messages(jsonb) to authenticated;
grant execute on function foreword.check_version(jsonb), foreword.start_conversation(jsonb),
  foreword.find_conversation(jsonb),
  foreword.find_candidate(uuid, jsonb), foreword.create_conversation(uuid, uuid, jsonb),
  foreword.adopt_old_rows(uuid, uuid, jsonb),
  foreword.append_path(uuid, uuid, uuid, bytea, integer, jsonb), foreword.next_time(uuid),
    foreword.match_message(uuid, uuid, jsonb, boolean), foreword.find_earlier_reply(uuid, uuid, jsonb),
    foreword.add_results(jsonb, jsonb), foreword.merge_tools(jsonb, jsonb)
  to authenticated;
-- The trigger that counts paths runs as the user who writes.
grant execute on function foreword.message_bytes(text, jsonb), foreword.path_bytes(uuid) to authenticated;
-- Functions that become the user call them.
grant execute on function foreword.trim_tools(jsonb), foreword.to_object(jsonb) to authenticated;

-- PostgREST, which is Supabase's HTTP API, sees the functions at once.
notify pgrst, 'reload schema';

commit;
