-- Creates the row of a reply in progress, so that the client's next message can follow it. The turn's end
-- completes the row.
-- @param conversation_id, turn_id, parent_id
-- @param content optional: the part of the reply that the client has seen
-- @param metadata, created_at optional
-- @param digest optional: of `content`
-- @returns the row's id; null if the turn is not running, or answers another message
create or replace function public.chat_hold_reply(argument jsonb) returns uuid
language plpgsql set search_path = '' as $$
declare
  v_turn public.turns;
  v_parent public.messages;
  v_digest bytea;
  v_id uuid;
begin
  select * into v_turn from public.turns t
    where t.id = (argument ->> 'turn_id')::uuid and t.conversation_id = (argument ->> 'conversation_id')::uuid
      and t.parent_id = (argument ->> 'parent_id')::uuid and t.status in ('running', 'waiting');
  if v_turn.id is null then
    return null;
  end if;
  select * into v_parent from public.messages m where m.id = v_turn.parent_id;
  v_digest := sha256(v_parent.digest
    || coalesce(decode(argument ->> 'digest', 'hex'), sha256(uuid_send(v_turn.id))));
  if exists (select from public.messages m where m.conversation_id = v_turn.conversation_id
    and m.digest = v_digest) then
    v_digest := sha256(v_digest || uuid_send(v_turn.id)); -- another reply begins with the same words
  end if;
  select m.id into v_id from public.messages m
    where m.conversation_id = v_turn.conversation_id and m.parent_id = v_turn.parent_id
      and m.role = 'assistant' and m.status is null
      and (m.id = v_turn.id or m.metadata ->> 'reply_of' = v_turn.id::text) limit 1;
  if v_id is null then
    insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, digest,
      created_at)
      values (
        -- A message of another conversation may have the id that a client chose for its turn.
        case when exists (select from public.messages m where m.id = v_turn.id) then gen_random_uuid()
          else v_turn.id end,
        v_turn.conversation_id, v_parent.user_id, v_parent.id, 'assistant',
          coalesce(argument ->> 'content', ''),
        coalesce(argument -> 'metadata', '{}') || jsonb_build_object('reply_of', v_turn.id), v_digest,
        coalesce((argument ->> 'created_at')::timestamptz, foreword.next_time(v_turn.conversation_id))
      )
      returning id into v_id;
  end if;
  return v_id;
end $$;
