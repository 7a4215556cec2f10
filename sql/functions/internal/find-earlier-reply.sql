-- Returns the id of the row of a reply as it was before its client brought the results of its last calls, or
-- null if there is none.
-- @param p_parent_id the message that both answer
-- @param p_reply an item of a path as in chat_save_messages
create or replace function foreword.find_earlier_reply(
  p_conversation_id uuid, p_parent_id uuid, p_reply jsonb
) returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_digest bytea := (select m.digest from public.messages m where m.id = p_parent_id);
  v_earlier uuid;
  v_text text;
begin
  for v_text in select jsonb_array_elements_text(p_reply -> 'earlier_digests') loop
    select m.id into v_earlier from public.messages m where m.conversation_id = p_conversation_id
      and m.digest = sha256(v_digest || decode(v_text, 'hex'));
    exit when v_earlier is not null;
  end loop;
  if v_earlier is null then
    -- Sent with another text, but with the same calls; or seen further than its turn could be saved.
    select m.id into v_earlier
      from (select * from public.messages where conversation_id = p_conversation_id and parent_id = p_parent_id
        and role = 'assistant' limit 500) m
      where m.metadata ->> 'tools_digest' = p_reply ->> 'earlier_tools_digest'
        or (m.status in ('stopped', 'failed', 'interrupted') and not m.metadata ? 'tools_digest'
          and (m.id::text = p_reply ->> 'sent_id' or m.id = (
            select t.message_id from public.turns t where t.id = (p_reply ->> 'sent_id')::uuid)))
      order by coalesce(m.metadata ->> 'tools_digest' = p_reply ->> 'earlier_tools_digest', false) desc,
        m.metadata ? 'superseded_by', m.created_at desc limit 1;
  end if;
  return v_earlier;
end $$;
