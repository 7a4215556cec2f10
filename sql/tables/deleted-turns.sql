-- The turns that their users have deleted, for 30 days: a begin that waited in a journal does not bring them
-- back.
create table if not exists public.deleted_turns (
  id uuid primary key,
  user_id uuid,
  deleted_at timestamptz not null default now()
);
