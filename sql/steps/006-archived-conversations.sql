-- version 4
alter table public.conversations add column if not exists archived_at timestamptz;
