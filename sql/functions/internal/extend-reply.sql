-- Creates the row of a reply that a turn goes on with: the reply with the results that its client has
-- brought. It supersedes the row without them, and becomes the leaf in its place. The turn's end completes
-- it.
-- @param p_parent_id the message that both answer
-- @param p_reply an item of a path as in chat_save_messages
create or replace function foreword.extend_reply(
  p_turn_id uuid, p_conversation_id uuid, p_parent_id uuid, p_reply jsonb
) returns void
language plpgsql set search_path = '' as $$
declare
  v_parent public.messages;
  v_earlier public.messages;
  v_found public.messages;
  v_is_attempt boolean;
  v_metadata jsonb := coalesce(p_reply -> 'metadata', '{}');
  v_content text := coalesce(p_reply ->> 'content', '');
  v_digest bytea;
  v_message uuid;
begin
  select * into v_parent from public.messages m where m.id = p_parent_id;
  if v_parent.id is null then
    return;
  end if;
  select * into v_earlier from public.messages m
    where m.id = foreword.find_earlier_reply(p_conversation_id, v_parent.id, p_reply);
  if v_earlier.id is not null then
    v_metadata := foreword.add_results(v_earlier.metadata, v_metadata);
  end if;
  -- The completed reply keeps that it was extended.
  v_metadata := v_metadata || jsonb_build_object('reply_of', p_turn_id, 'is_extended', true, 'extended',
    jsonb_build_object('chars', length(v_content), 'calls',
      jsonb_array_length(coalesce(v_metadata -> 'tools', '[]'))));
  v_digest := sha256(v_parent.digest || decode(p_reply #>> '{digests,0}', 'hex'));
  select * into v_found from public.messages m
    where m.conversation_id = p_conversation_id and m.digest = v_digest;
  v_is_attempt := v_found.id is not null and v_found.content = v_content
    and not exists (select from public.messages m where m.conversation_id = p_conversation_id
      and m.parent_id = v_found.id);
  if v_is_attempt
    and not exists (select from public.turns t where t.conversation_id = p_conversation_id
      and t.parent_id = p_parent_id and t.status in ('running', 'waiting') and t.id <> p_turn_id
      and (t.id = v_found.id or t.id::text = v_found.metadata ->> 'reply_of'))
  then
    -- An earlier attempt that added nothing.
    update public.messages set status = null,
        metadata = (foreword.to_object(metadata) - 'superseded_by') || v_metadata
      where id = v_found.id;
    v_message := v_found.id;
  else
    if v_found.id is not null then
      v_digest := sha256(v_digest || uuid_send(p_turn_id)); -- another turn goes on with the same
    end if;
    insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, digest,
      created_at)
      values (
        case when exists (select from public.messages m where m.id = p_turn_id) then gen_random_uuid()
          else p_turn_id end,
        p_conversation_id, v_parent.user_id, p_parent_id, 'assistant', v_content, v_metadata, v_digest,
        foreword.next_time(p_conversation_id))
      returning id into v_message;
  end if;
  update public.messages set metadata = foreword.to_object(metadata)
    || jsonb_build_object('superseded_by', v_message)
    -- Another attempt, too, unless its end adds something.
    where (id = v_earlier.id or (v_is_attempt and id = v_found.id)) and id <> v_message;
  update public.conversations set leaf_id = v_message
    where id = p_conversation_id and (leaf_id is null or leaf_id in (p_parent_id, v_earlier.id)
      or (v_is_attempt and leaf_id = v_found.id));
end $$;
