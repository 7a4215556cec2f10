create table if not exists public.turns (
  id uuid primary key,
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  user_id uuid,
  parent_id uuid references public.messages (id) on delete set null, -- the message it answers
  message_id uuid references public.messages (id) on delete set null, -- its reply
  status text not null default 'running' check (status in ('running', 'complete', 'stopped', 'failed',
    'interrupted')),
  plan text, -- as it was sent
  answer text,
  model text,
  usage jsonb,
  finish_reason text,
  error_code text,
  duration_ms integer,
  first_text_ms integer,
  idempotency_key text,
  request_digest bytea,
  stop_requested boolean not null default false,
  owner uuid, -- the process that runs it
  heartbeat_at timestamptz not null default now(),
  started_at timestamptz not null default now(),
  ended_at timestamptz
);

create table if not exists public.turn_pieces (
  turn_id uuid not null,
  position integer not null, -- bytes of the plain-text body before it
  text text not null,
  primary key (turn_id, position)
);
