-- Deletes a turn, and its reply and the messages that it answered as far as nothing else needs them: no
-- message below them, and no other turn. A conversation left empty is deleted, unless the turn's request
-- named it. A turn that still runs ends nowhere.
-- @param user_id null for unowned turns
-- @param turn_id
-- @returns {deleted: true}; or {missing} if the turn does not exist or belongs to another user
create or replace function public.chat_delete_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument ->> 'turn_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_conversation uuid;
  v_turn public.turns;
  v_message public.messages;
  v_leaf uuid;
  v_place uuid; -- the last message that stays
begin
  perform public.chat_check_version(argument);
  -- A begin with this id waits.
  perform pg_advisory_xact_lock(hashtextextended(format('foreword turn %s', v_id), 0));
  select c.id, c.leaf_id into v_conversation, v_leaf from public.conversations c
    join public.turns t on t.conversation_id = c.id
    where t.id = v_id and t.user_id is not distinct from v_user for update of c;
  select * into v_turn from public.turns t
    where t.id = v_id and t.user_id is not distinct from v_user for update;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  end if;
  insert into public.deleted_turns (id, user_id) values (v_id, v_user)
    on conflict (id) do update set deleted_at = excluded.deleted_at, user_id = excluded.user_id;
  delete from public.deleted_turns where deleted_at < now() - interval '30 days';
  delete from public.turns where id = v_id;

  -- Its reply; or the row that was created for it while it ran; and the part of it that recovery had stored
  -- before the whole reply came.
  for v_message in
    select * from public.messages m
      where m.conversation_id = v_conversation and m.role = 'assistant'
        and (m.id = v_turn.message_id
          or (m.parent_id = v_turn.parent_id and ((m.status is null and m.metadata ->> 'reply_of' = v_id::text)
            or (m.id = v_id and (m.status is null
              or m.metadata ->> 'superseded_by' = v_turn.message_id::text)))))
  loop
    if foreword.delete_unused(v_conversation, v_message.id) then
      -- An earlier turn's reply, which this one went on with, is shown again.
      update public.messages m set metadata = m.metadata - 'superseded_by'
        where m.conversation_id = v_conversation and m.parent_id = v_turn.parent_id
          and m.metadata ->> 'superseded_by' = v_message.id::text;
    end if;
  end loop;
  v_place := v_turn.parent_id;
  loop
    select * into v_message from public.messages m where m.id = v_place
      and m.conversation_id = v_conversation;
    exit when v_message.id is null or v_message.role = 'assistant'
      or not foreword.delete_unused(v_conversation, v_message.id);
    v_place := v_message.parent_id;
  end loop;

  if not exists (select from public.messages m where m.conversation_id = v_conversation)
    and not exists (select from public.turns t where t.conversation_id = v_conversation)
    and v_turn.request ->> 'conversation' is null
  then
    delete from public.conversations where id = v_conversation;
  elsif v_leaf is not null and not exists (select from public.messages m where m.id = v_leaf) then
    -- The newest branch below the last message that stays is shown.
    select coalesce(v_message.id, null) into v_leaf;
    loop
      select m.id into v_place from public.messages m
        where m.conversation_id = v_conversation and m.parent_id is not distinct from v_leaf
          and not coalesce(m.metadata ? 'superseded_by', false)
        order by m.created_at desc, m.id desc limit 1;
      exit when v_place is null;
      v_leaf := v_place;
    end loop;
    update public.conversations set leaf_id = v_leaf where id = v_conversation;
  end if;
  return jsonb_build_object('deleted', true);
end $$;
