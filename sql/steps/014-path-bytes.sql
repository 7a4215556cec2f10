-- version 9
alter table public.messages
  add column if not exists path_bytes bigint; -- of text and tool calls, from the root to this message's end
