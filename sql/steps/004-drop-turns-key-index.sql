-- version 2
-- on public.turns
drop index if exists public.turns_key_idx;
