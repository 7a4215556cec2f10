-- version 1
alter table public.conversations
  add column if not exists metadata jsonb not null default '{}',
  add column if not exists leaf_id uuid; -- the last message of the path that is shown
