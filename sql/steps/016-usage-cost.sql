-- version 9
alter table public.daily_usage
  add column if not exists cost numeric not null default 0, -- of the tokens whose price was known
  add column if not exists priced_tokens bigint not null default 0; -- these, input and output
