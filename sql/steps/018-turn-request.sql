-- version 10
alter table public.turns
  add column if not exists request jsonb; -- the parts of the request that its wire repeats
