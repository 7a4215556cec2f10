-- The old service may write until it is replaced, so this runs each time: its messages get their
-- conversation's owner.
update public.messages m set user_id = c.user_id
  from public.conversations c
  where c.id = m.conversation_id and m.user_id is null and c.user_id is not null;
