-- version 7
-- on public.conversations
drop index if exists public.conversations_search_idx;
