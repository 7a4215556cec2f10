create index conversations_newest_idx on public.conversations (user_id, updated_at desc, id desc);

create index conversations_archived_idx on public.conversations (user_id, updated_at desc, id desc)
  where archived_at is not null;

-- In another form than the one lists are ordered by, so that it serves chat_delete_expired alone.
create index conversations_expiry_idx on public.conversations ((updated_at at time zone 'UTC'));

create unique index conversations_chat_idx on public.conversations (chat_id, user_id) nulls not distinct
  where chat_id is not null;

create index deleted_conversations_age_idx on public.deleted_conversations (deleted_at);
