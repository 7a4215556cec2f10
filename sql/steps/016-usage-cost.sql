-- version 9
alter table public.daily_usage
  add column if not exists cost numeric not null default 0; -- of the turns whose model has a price
