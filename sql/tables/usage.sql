-- The usage of turns, by the day they began on (UTC). Deleting a conversation takes nothing off it.
create table if not exists public.daily_usage (
  user_id uuid,
  day date not null,
  model text not null,
  turns integer not null default 0,
  estimated_turns integer not null default 0, -- of these: turns whose model reported no usage
  input_tokens bigint not null default 0, -- includes cached tokens
  output_tokens bigint not null default 0, -- includes reasoning tokens
  reasoning_tokens bigint not null default 0,
  cached_input_tokens bigint not null default 0
);

-- Requests of the one-minute window that began with the first. Unlogged: a crash starts all windows again.
create unlogged table if not exists public.request_counts (
  subject text primary key, -- a user or an address
  started_at timestamptz not null,
  count integer not null
);
