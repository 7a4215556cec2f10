create table if not exists public.deleted_conversations (
  id uuid primary key,
  user_id uuid,
  deleted_at timestamptz not null default now()
);
