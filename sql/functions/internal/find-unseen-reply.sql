-- Finds the reply to a message, for a next message that was sent before its client knew of that reply: the
-- row of the reply in progress, or, if that has ended meanwhile, the reply that is shown.
create or replace function foreword.find_unseen_reply(p_conversation_id uuid, p_parent_id uuid,
  p_created_at timestamptz) returns uuid
language plpgsql set search_path = '' as $$
begin
  return coalesce(
    public.chat_hold_reply(jsonb_build_object(
      'conversation_id', p_conversation_id, 'parent_id', p_parent_id, 'created_at', p_created_at,
      'turn_id', (
        select t.id from public.turns t
          where t.conversation_id = p_conversation_id and t.parent_id = p_parent_id
            and t.status in ('running', 'waiting')
          order by t.started_at desc limit 1))),
    (select leaf.id from public.conversations c
      join public.messages leaf on leaf.id = c.leaf_id and leaf.role = 'assistant'
      join public.messages asked on asked.id = p_parent_id and asked.role = 'user'
      where c.id = p_conversation_id and leaf.parent_id = p_parent_id));
end $$;
