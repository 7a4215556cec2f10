-- The cost of turns by the day they began on (UTC), for limits in money of API keys.
create table if not exists public.daily_costs (
  subject text not null, -- key <name>
  day date not null,
  cost numeric not null default 0,
  primary key (subject, day)
);
