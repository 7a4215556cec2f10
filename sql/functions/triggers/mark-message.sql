-- Marks the text of a new or changed message as unread, ahead of the backlog.
create or replace function public.chat_mark_message() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_relid = 'public.messages'::regclass then -- not a table that had this name before
    if tg_op = 'INSERT' then
      -- The statement that stored it may have stored its words, too.
      insert into public.message_words (id, conversation_id) values (new.id, new.conversation_id)
        on conflict (id) do nothing;
    else
      insert into public.message_words as w (id, conversation_id) values (new.id, new.conversation_id)
        on conflict (id) do update set conversation_id = excluded.conversation_id, words = null,
          revision = w.revision + 1, attempts = 0,
          not_before = excluded.not_before;
    end if;
  end if;
  return null;
end $$;
