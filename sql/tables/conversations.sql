create table if not exists public.conversations (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  user_id uuid,
  created_at timestamptz default now()
);
