-- Returns the schema of the type `vector` if vectors of passages can be stored, else null. Functions name it
-- in dynamic SQL only, so that they work without the extension.
create or replace function foreword.vector_schema() returns text
language sql stable set search_path = '' as $$
  select n.nspname::text
    from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace n on n.oid = t.typnamespace
    where a.attrelid = to_regclass('public.passage_vectors') and a.attname = 'vector' and not a.attisdropped
$$;
