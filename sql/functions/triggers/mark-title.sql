-- Marks a new or changed title as unread, ahead of the backlog.
create or replace function public.chat_mark_title() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_relid = 'public.conversations'::regclass then
    if tg_op = 'INSERT' then
      -- The statement that stored it may have stored its words, too.
      insert into public.title_words (id, conversation_id) values (new.id, new.id) on conflict (id) do nothing;
    else
      insert into public.title_words as w (id, conversation_id) values (new.id, new.id)
        on conflict (id) do update set words = null, revision = w.revision + 1, attempts = 0,
          not_before = excluded.not_before;
    end if;
  end if;
  return null;
end $$;
