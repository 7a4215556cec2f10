-- Finds the message below `p_parent_id` that a client has changed before it sent it back: a user's text with
-- other white space around it; a reply that was cut off and that the client saw more of; a reply that the
-- client names and saw less of; an earlier message whose images were left out. A reply with calls of its
-- client's tools must have the same ones, unless the client keeps none.
-- @param p_message a message of the path, as in chat_save_messages
-- @param p_is_last whether it is the path's last message: then only a reply is looked for
create or replace function foreword.match_message(
  p_conversation_id uuid, p_parent_id uuid, p_message jsonb, p_is_last boolean
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_content text := coalesce(p_message ->> 'content', '');
  v_metadata jsonb := coalesce(p_message -> 'metadata', '{}');
  v_sent_id text := p_message ->> 'sent_id';
  v_tools text := p_message ->> 'tools_digest';
  v_found uuid;
begin
  if p_is_last and p_message ->> 'role' <> 'assistant' then
    return null;
  end if;
  select m.id into v_found from (
      -- A bound on their number and length: their texts are read, and users may have written anything.
      (select * from public.messages where conversation_id = p_conversation_id and parent_id = p_parent_id
        and (coalesce(octet_length(content), 0) <= octet_length(v_content) + 1024 or id::text = v_sent_id)
          limit 500)
      union all
      (select * from public.messages where p_parent_id is null and conversation_id = p_conversation_id
        and parent_id is null
        and (coalesce(octet_length(content), 0) <= octet_length(v_content) + 1024 or id::text = v_sent_id)
          limit 500)
    ) m
    where m.role = p_message ->> 'role'
      and (v_tools is null or m.metadata ->> 'tools_digest' = v_tools
        or (m.status in ('stopped', 'failed', 'interrupted') and not m.metadata ? 'tools_digest'))
      and case
        when m.role = 'assistant' then
          m.content = v_content
          or ((m.id::text = v_sent_id or m.metadata ->> 'reply_of' = v_sent_id
              or m.id = (select t.message_id from public.turns t where t.id = v_sent_id::uuid))
            and (starts_with(m.content, v_content)
              or (m.status is null and starts_with(v_content, m.content))))
          or (m.status in ('stopped', 'failed', 'interrupted') and case
            when m.content <> '' then starts_with(v_content, m.content)
            -- It was cut off in its plan.
            else starts_with(coalesce(v_metadata ->> 'plan', v_content), nullif(m.metadata ->> 'plan', ''))
          end)
        else
          btrim(m.content, E' \t\r\n') = v_content and m.metadata ? 'images_count'
          and (not v_metadata ? 'images_count' or m.metadata ? 'images_unknown')
      end
    order by m.content = v_content desc, length(m.content) desc, m.metadata ? 'superseded_by',
      m.created_at desc limit 1;
  return v_found;
end $$;
