-- version 4
-- on public.conversations
drop index if exists public.conversations_user_idx;
