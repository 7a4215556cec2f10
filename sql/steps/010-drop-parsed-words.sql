-- version 7
-- on public.messages
-- These indexes made the database parse texts.
drop index if exists public.messages_search_idx, public.messages_words_idx;
