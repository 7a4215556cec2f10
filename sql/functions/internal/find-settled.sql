-- Finds the end of the path to a message that no turn is still working on: above the replies in progress, and
-- above the messages that they answer.
-- @returns the message's id, or null for the root
create or replace function foreword.find_settled(p_conversation_id uuid, p_message_id uuid) returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_message public.messages;
  v_id uuid := p_message_id;
begin
  for v_step in 1 .. 1000 loop -- users may make a circle of their rows
    select * into v_message from public.messages m where m.id = v_id and m.conversation_id = p_conversation_id;
    exit when v_message.id is null or not exists (
      select from public.turns t
        where t.conversation_id = p_conversation_id and t.status in ('running', 'waiting')
          and (t.parent_id = v_id or (v_message.role = 'assistant' and v_message.status is null
            and t.parent_id = v_message.parent_id and t.id::text = v_message.metadata ->> 'reply_of')));
    v_id := v_message.parent_id;
  end loop;
  return v_message.id;
end $$;
