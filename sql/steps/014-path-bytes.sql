-- version 9
alter table public.messages
  add column if not exists path_bytes bigint; -- of its path before it, as foreword.message_bytes counts
