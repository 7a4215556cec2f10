-- The cost of turns by the day they began on (UTC), for the budgets of API keys. Turns that are not over
-- count with their reservations.
create table if not exists public.daily_costs (
  subject text not null, -- key <name>
  day date not null,
  cost numeric not null default 0, -- of tokens and tools
  primary key (subject, day)
);
