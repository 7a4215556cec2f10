-- version 9
alter table public.turns
  add column if not exists attempts jsonb, -- models that failed before the one that replied
  add column if not exists context jsonb, -- how much of the path its model was sent, if not all
  add column if not exists cost numeric, -- of its tokens, in the currency of the prices; null if unknown
  add column if not exists key_name text; -- the API key whose budget it counts in; null if it has none
