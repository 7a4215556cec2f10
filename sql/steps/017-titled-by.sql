-- version 9
alter table public.conversations
  add column if not exists titled_by text; -- person or model; null for a title made of the first question
