create index turns_conversation_idx on public.turns (conversation_id, started_at);

create index turns_user_idx on public.turns (user_id, started_at);

create index turns_parent_idx on public.turns (parent_id);

create index turns_message_idx on public.turns (message_id);

create index turns_running_idx on public.turns (heartbeat_at) where status = 'running';

create index turns_subject_idx on public.turns (subject) where status = 'running' and subject is not null;

create unique index turns_idempotency_idx on public.turns (idempotency_key, user_id) nulls not distinct
  where idempotency_key is not null;

create index deleted_turns_age_idx on public.deleted_turns (deleted_at);

create index turn_waits_expiry_idx on public.turn_waits (expires_at);

create index turn_waits_subject_idx on public.turn_waits (subject) where subject is not null;
