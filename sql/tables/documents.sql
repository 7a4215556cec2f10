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
