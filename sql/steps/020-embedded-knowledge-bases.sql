-- version 12
alter table public.knowledge_bases
  add column if not exists embedded_at timestamptz; -- when passages of it were last taken to be embedded
