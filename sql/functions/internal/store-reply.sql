-- Stores the reply of a turn that ends: in the row that was created for it while it ran, if its client went
-- on below it or it goes on with an earlier reply, else in a row of its own.
-- @param p_user_id the conversation's owner
-- @param argument as in chat_end_turn
-- @returns the message's id
create or replace function foreword.store_reply(
  p_turn_id uuid, p_conversation_id uuid, p_parent_id uuid, p_user_id uuid, argument jsonb
) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_status text := argument #>> '{turn,status}';
  -- The text is sent once, unless white space around it makes the message another text than the answer.
  v_text text := coalesce(argument #>> '{reply,content}', argument #>> '{turn,answer}');
  v_content text := v_text;
  v_metadata jsonb := argument #> '{reply,metadata}';
  v_digest bytea;
  v_message uuid;
  v_extended jsonb;
begin
  select sha256(m.digest || decode(argument #>> '{reply,digest}', 'hex')) into v_digest
    from public.messages m where m.id = p_parent_id;
  if coalesce((argument #>> '{reply,is_part}')::boolean, false) then
    v_extended := foreword.continue_reply(p_turn_id, p_conversation_id, p_parent_id, v_content, v_metadata);
    if v_extended is not null then
      v_content := v_extended ->> 'content';
      v_metadata := v_extended -> 'metadata';
      v_digest := sha256(v_digest || uuid_send(p_turn_id)); -- of a part only
    end if;
  end if;
  select m.id into v_message from public.messages m
    where m.conversation_id = p_conversation_id and m.parent_id = p_parent_id and m.role = 'assistant'
      and m.status is null and (m.id = p_turn_id or m.metadata ->> 'reply_of' = p_turn_id::text)
    order by m.created_at limit 1;
  if v_message is not null then
    v_message := foreword.complete_held_reply(v_message, v_content, v_metadata, v_status, v_digest,
      v_extended is not null);
    perform foreword.store_words(v_message, v_text, argument -> 'words');
    return v_message;
  end if;
  with reply as (
    insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, status,
      digest, created_at)
    values (
      -- As a rule the turn's own id, which its client may have chosen: a message may have it already.
      case when exists (select from public.messages m where m.id = (argument #>> '{reply,id}')::uuid)
        then gen_random_uuid() else (argument #>> '{reply,id}')::uuid end,
      p_conversation_id, p_user_id, p_parent_id, 'assistant', v_content, v_metadata, v_status, v_digest,
      foreword.next_time(p_conversation_id)
    )
    on conflict do nothing returning id, conversation_id, user_id
  ), stored_words as (
    insert into public.message_words (id, conversation_id, words)
      select r.id, r.conversation_id,
          case when v_extended is null
            then foreword.find_words(r.conversation_id, r.user_id, argument -> 'words') end
        from reply r
  )
  select r.id into v_message from reply r;
  if v_message is null then
    select id into v_message from public.messages where conversation_id = p_conversation_id
      and digest = v_digest;
    -- A message with this text already: its client sent it back before it was stored, or a reply was cut off
    -- there.
    update public.messages set status = v_status, metadata = foreword.to_object(metadata) || v_metadata
      where id = v_message and status is distinct from 'complete';
    perform foreword.store_words(v_message, v_text, argument -> 'words');
  end if;
  return v_message;
end $$;
