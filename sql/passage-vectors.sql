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
