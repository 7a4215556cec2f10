-- Deletes a message that no message follows and no turn answers or has written. Returns whether it did.
create or replace function foreword.delete_unused(p_conversation_id uuid, p_message_id uuid) returns boolean
language plpgsql set search_path = '' as $$
begin
  delete from public.messages m
    where m.id = p_message_id and m.conversation_id = p_conversation_id
      and not exists (select from public.messages b
        where b.conversation_id = p_conversation_id and b.parent_id = p_message_id)
      and not exists (select from public.turns t
        where t.parent_id = p_message_id or t.message_id = p_message_id);
  return found;
end $$;
