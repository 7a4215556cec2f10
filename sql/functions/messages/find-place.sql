-- Finds where a path continues that need not start at its conversation's root.
-- @param conversation_id
-- @param path, late as in chat_save_messages
-- @param continue.mode
--   `leaf`: below the leaf.
--   `new`: below the leaf, unless the conversation knows the path's last message, or the reply `reply_id`.
--     Only system messages may come before that message.
--   `whole`: at the first message, if the conversation knows its id and its text is unchanged; else at the
--   root, if the conversation starts with it; else at the last message whose id is known; else below the
--     leaf.
-- @param continue.is_again whether a reply is regenerated
-- @param if_running since version 9: `branch` places a path that would go below a reply in progress below the
--   last message before it that no turn is still working on
-- @returns {parent: a message or null for the root, skip: how many messages of the path to leave out}; or
--   {running: the turn that answers the leaf, for which the path would have to wait}; or {missing_path}
create or replace function public.chat_find_place(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_path jsonb := argument -> 'path';
  v_count integer := jsonb_array_length(argument -> 'path');
  v_mode text := argument #>> '{continue,mode}';
  -- A conversation keeps the system messages that it began with, and no later ones before its newest message.
  v_first integer := case when v_mode = 'new' then greatest(v_count - 1, 0) else 0 end;
  v_is_again boolean := coalesce((argument #>> '{continue,is_again}')::boolean, false);
  v_leaf public.messages;
  v_known jsonb;
  v_is_same boolean;
  v_asked public.messages;
  v_turn uuid;
  v_reply uuid;
begin
  select m.* into v_leaf from public.conversations c join public.messages m on m.id = c.leaf_id
    and m.conversation_id = c.id
    where c.id = v_conversation;
  if v_leaf.id is null then -- rows of the old service, which had no leaf
    select * into v_leaf from public.messages m where m.conversation_id = v_conversation
      order by m.created_at desc, m.id desc limit 1;
  end if;
  if v_leaf.id is null then
    return '{"skip": 0}';
  end if;
  if v_mode <> 'leaf' then
    if argument #>> '{continue,reply_id}' is not null then
      v_known := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id',
        argument #>> '{continue,reply_id}'));
      if v_known ->> 'role' = 'assistant' then
        select * into v_asked from public.messages m where m.id = (v_known ->> 'parent_id')::uuid;
      elsif v_known is not null then
        select * into v_asked from public.messages m where m.id = (v_known ->> 'id')::uuid;
      end if;
    elsif v_count = 0 or v_is_again then
      select * into v_asked from public.messages m where m.id = case v_leaf.role when 'assistant'
        then v_leaf.parent_id else v_leaf.id end;
      if v_count > 0 and v_count = v_first + 1 and not exists (
        select from jsonb_array_elements_text(v_path #> array[v_first::text, 'digests']) d
        where v_asked.digest = sha256(coalesce((select p.digest from public.messages p
          where p.id = v_asked.parent_id), '') || decode(d, 'hex'))
      ) then
        v_asked := null;
      end if;
    end if;
    if v_count = 0 then
      return case when v_asked.id is null then '{"missing_path": true}'
        else jsonb_build_object('parent', v_asked.id, 'skip', 0) end;
    end if;
    if v_asked.id is not null and v_mode = 'new' then
      return jsonb_build_object('parent', v_asked.parent_id, 'skip', v_first);
    end if;
    v_known := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id',
      v_path #>> array[v_first::text, 'client_id']));
    if v_known ->> 'role' <> v_path #>> array[v_first::text, 'role'] then
      v_known := null;
    end if;
    v_is_same := exists (
      select from public.messages m, jsonb_array_elements_text(v_path #> array[v_first::text, 'digests']) d
      where m.id = (v_known ->> 'id')::uuid
        and m.digest = sha256(coalesce((select p.digest from public.messages p where p.id = m.parent_id), '')
          || decode(d, 'hex')));
    if not v_is_same and (v_mode = 'whole' or v_is_again) and exists (
      select from jsonb_array_elements_text(v_path #> array[v_first::text, 'digests']) d
        join public.messages m on m.conversation_id = v_conversation and m.digest = sha256(decode(d, 'hex'))
    ) then
      return jsonb_build_object('skip', v_first);
    end if;
    if v_known is not null then
      return jsonb_build_object('parent', v_known ->> 'parent_id', 'skip', v_first);
    end if;
    for v_place in reverse v_count - 1 .. v_first + 1 loop
      v_known := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id',
        v_path #>> array[v_place::text, 'client_id']));
      if v_known ->> 'role' = v_path #>> array[v_place::text, 'role'] then
        return jsonb_build_object('parent', v_known ->> 'parent_id', 'skip', v_place);
      end if;
    end loop;
  end if;
  select t.id into v_turn from public.turns t
    where t.conversation_id = v_conversation and t.status in ('running', 'waiting')
      -- A reply that a turn goes on with is the leaf while the turn runs.
      and (t.parent_id = v_leaf.id or (t.parent_id = v_leaf.parent_id and v_leaf.status is null
        and t.id::text = v_leaf.metadata ->> 'reply_of'))
    order by t.started_at desc limit 1;
  if v_turn is null then
    return jsonb_build_object('parent', v_leaf.id, 'skip', v_first);
  end if;
  if argument ->> 'if_running' = 'branch' and not coalesce((argument ->> 'late')::boolean, false) then
    return jsonb_build_object('parent', foreword.find_settled(v_conversation, v_leaf.id), 'skip', v_first);
  end if;
  -- A turn that has already begun, or whose model already got the client's messages, is not refused.
  if v_mode = 'whole' or coalesce((argument ->> 'late')::boolean, false) then
    v_reply := public.chat_hold_reply(jsonb_build_object('conversation_id', v_conversation, 'turn_id', v_turn,
      'parent_id', case when v_leaf.metadata ->> 'reply_of' = v_turn::text then v_leaf.parent_id
        else v_leaf.id end));
    return jsonb_build_object('parent', v_reply, 'skip', v_first);
  end if;
  return jsonb_build_object('running', v_turn);
end $$;
