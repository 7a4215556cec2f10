-- version 12
alter table public.documents
  add column if not exists embedding_model text, -- that made the vectors of its passages, with their width
  add column if not exists embedded_count integer not null default 0, -- how many passages, from the first on
  add column if not exists embedded_at timestamptz, -- when the last of them came
  add column if not exists embedding_lease_id uuid,
  add column if not exists embedding_lease_until timestamptz;
