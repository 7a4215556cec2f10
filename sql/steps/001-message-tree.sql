-- version 1
alter table public.messages
  add column if not exists user_id uuid,
  add column if not exists parent_id uuid,
  add column if not exists digest bytea, -- SHA-256 of the path that ends here; null: not yet part of the tree
  -- Of our replies.
  add column if not exists status text check (status in ('complete', 'stopped', 'failed', 'interrupted'));
