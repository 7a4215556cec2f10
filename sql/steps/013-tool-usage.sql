-- version 8
alter table public.daily_usage
  add column if not exists tool_calls bigint not null default 0, -- of tools that the server ran
  add column if not exists tool_cost numeric not null default 0;
