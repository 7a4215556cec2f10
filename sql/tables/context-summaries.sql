-- Summaries of the start of long paths, for models whose window does not hold a whole path. Each covers the
-- path up to and including one message.
create table if not exists public.context_summaries (
  message_id uuid primary key,
  conversation_id uuid not null,
  text text not null,
  model text, -- which wrote it
  created_at timestamptz not null default now()
);
