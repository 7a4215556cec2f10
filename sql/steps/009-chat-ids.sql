-- version 7
-- The id of the conversation's AI SDK chat, if it could not take the id that is derived from that.
alter table public.conversations add column if not exists chat_id text;
