-- version 1
-- on public.conversations
-- Rows of the old service get the time of their last message. Without the index that takes quadratic time.
do $do$
begin
  if to_regclass('public.messages_order_idx') is null then
    create index messages_order_idx on public.messages (conversation_id, created_at);
  end if;
  if not exists (select from pg_attribute
    where attrelid = 'public.conversations'::regclass and attname = 'updated_at' and not attisdropped
      and attnotnull
  ) then
    alter table public.conversations add column if not exists updated_at timestamptz;
    update public.conversations c
      set updated_at = coalesce((select max(m.created_at) from public.messages m
        where m.conversation_id = c.id), c.created_at, now())
      where c.updated_at is null;
    alter table public.conversations alter column updated_at set default now(),
      alter column updated_at set not null;
  end if;
end $do$;
