-- Completes the row that was created for a reply while its turn ran.
-- @param p_is_part whether the turn's end knows only a part of the reply: see foreword.continue_reply
-- @returns the id of the reply's message: another one, if a retry has ended in the same reply
create or replace function foreword.complete_held_reply(
  p_message_id uuid, p_content text, p_metadata jsonb, p_status text, p_digest bytea, p_is_part boolean
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_held public.messages;
  v_metadata jsonb := p_metadata;
  v_same uuid;
  v_is_answered boolean;
begin
  select * into v_held from public.messages m where m.id = p_message_id;
  v_is_answered := exists (select from public.messages b where b.conversation_id = v_held.conversation_id
    and b.parent_id = v_held.id);
  if v_held.metadata ? 'tools_digest' and p_status = 'complete' and not v_is_answered then
    select m.id into v_same from public.messages m where m.conversation_id = v_held.conversation_id
      and m.digest = p_digest and m.id <> v_held.id and m.status = 'complete';
  end if;
  if v_same is not null then
    -- A retry that went on with the earlier reply and ended in the same one.
    update public.messages set metadata = metadata || jsonb_build_object('superseded_by', v_same)
      where conversation_id = v_held.conversation_id and parent_id = v_held.parent_id
        and metadata ->> 'superseded_by' = v_held.id::text;
    update public.conversations set leaf_id = v_same
      where id = v_held.conversation_id and leaf_id = v_held.id;
    delete from public.messages where id = v_held.id;
    return v_same;
  end if;
  if v_held.metadata ? 'tools' and v_metadata ? 'tools' then
    v_metadata := v_metadata || jsonb_build_object('tools',
      foreword.merge_tools(v_held.metadata -> 'tools', v_metadata -> 'tools'));
  end if;
  update public.messages m set content = p_content, status = p_status,
      metadata = (foreword.to_object(m.metadata) - 'reply_of' - 'extended' - 'superseded_by') || v_metadata,
      -- It keeps its digest, if messages below it, and its client, refer to it by that.
      digest = case when v_held.metadata ? 'tools_digest' and not p_is_part and not v_is_answered
        and not exists (select from public.messages o where o.conversation_id = v_held.conversation_id
          and o.digest = p_digest)
        then p_digest else m.digest end
    where m.id = v_held.id;
  return v_held.id;
end $$;
