-- version 6
-- on public.conversations
-- It made the planner look for one user's newest conversations among everyone's.
drop index if exists public.conversations_age_idx;
