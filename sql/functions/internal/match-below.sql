-- Finds a message somewhere below `p_parent_id` by the id its client uses. The client has left out the
-- messages between the two, which makes no new branch.
-- @param p_message a message of the path, as in chat_save_messages
create or replace function foreword.match_below(p_conversation_id uuid, p_parent_id uuid, p_message jsonb)
  returns uuid
language plpgsql set search_path = '' as $$
declare
  v_content text := coalesce(p_message ->> 'content', '');
  v_found uuid;
begin
  select m.id into v_found from public.messages m
    where m.id = (public.chat_find_message(jsonb_build_object(
        'conversation_id', p_conversation_id, 'id', p_message ->> 'client_id')) ->> 'id')::uuid
      and m.conversation_id = p_conversation_id and m.role = p_message ->> 'role'
      and (p_message ->> 'tools_digest' is null or m.metadata ->> 'tools_digest' = p_message ->> 'tools_digest')
      and case m.role when 'assistant' then starts_with(m.content, v_content) else m.content = v_content end
      and exists (
        with recursive above as (
          select m.parent_id as id, m.created_at as below_at, m.id as below_id, 1 as place
          union all
          select up.parent_id, up.created_at, up.id, a.place + 1 from above a
            cross join lateral (select * from public.messages message where message.id = a.id limit 1) up
            where a.id <> p_parent_id and a.place < 20000
              and (up.created_at, up.id) < (a.below_at, a.below_id) -- users may make a circle of their rows
        )
        select from above a where a.id = p_parent_id);
  return v_found;
end $$;
