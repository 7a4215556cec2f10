-- Returns a page of an AI SDK chat, since version 10: the newest messages of its shown path, the turns of its
-- replies, and the turn that answers its last message without a message of its own.
-- @param user_id or null
-- @param conversation_id, chat_id as in chat_find_newest_turn
-- @param limit, max_bytes as in chat_list_messages
-- @param before the id by which the client knows a message: only messages before it; or null
-- @returns {conversation_id: null if there is none, messages, more: as chat_list_messages returns them,
--   turns: [{message_id, id, first_id: of the reply's first turn, if this one goes on with its reply, status,
--   model, attempts, context, finish_reason, usage, error_code, started_at, duration_ms, first_text_ms,
--   calls: [{type, data}] of requests and responses about approvals, and of calls with a title}],
--   open: {turn_id, replaces_last: whether it makes the last reply again} or null}
create or replace function public.chat_read_chat(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_before text := argument ->> 'before';
  v_conversation uuid;
  v_found jsonb;
  v_page jsonb := '{"messages": [], "more": false}';
  v_turns jsonb;
  v_last jsonb;
  v_open public.turns;
begin
  perform public.chat_check_version(argument);
  v_conversation := public.chat_find_chat(jsonb_build_object('conversation', jsonb_build_object(
    'id', argument -> 'conversation_id', 'user_id', argument -> 'user_id', 'chat_id', argument -> 'chat_id')));
  if v_conversation is not null and v_before is not null then
    v_found := public.chat_find_message(jsonb_build_object('conversation_id', v_conversation, 'id', v_before));
    if v_found is null and not exists (select from public.turns t
      where t.conversation_id = v_conversation and t.id::text = lower(v_before)) then
      v_conversation := null;
    end if;
  end if;
  -- From here on, row level security decides.
  if v_conversation is not null then
    v_page := public.chat_list_messages(argument
      || jsonb_build_object('conversation_id', v_conversation, 'before', v_found -> 'id'));
  end if;
  v_last := v_page -> 'messages' -> -1;

  select coalesce(jsonb_agg(jsonb_build_object('message_id', p.message -> 'id', 'id', t.id,
      'first_id', earlier.ids[1], 'status', t.status, 'model', t.model, 'attempts', t.attempts,
      'context', t.context, 'finish_reason', t.finish_reason, 'usage', t.usage, 'error_code', t.error_code,
      'started_at', t.started_at, 'duration_ms', t.duration_ms, 'first_text_ms', t.first_text_ms,
      'calls', (
        select coalesce(jsonb_agg(jsonb_build_object('type', e.type, 'data', case e.type when 'tool-call'
            then jsonb_build_object('callId', e.data -> 'callId', 'title', e.data -> 'title') else e.data end)
          order by e.turn_id = t.id, e.position, e.ordinal), '[]')
        from public.turn_events e
        where e.turn_id = any (earlier.ids || t.id) and p.message #> '{metadata,tools}' is not null
          and (e.type in ('approval-request', 'approval-response')
            or (e.type = 'tool-call' and e.data ->> 'title' is not null))
      ))), '[]') into v_turns
    from jsonb_array_elements(v_page -> 'messages') as p (message)
    cross join lateral (
      select * from (
        select * from public.turns where message_id = (p.message ->> 'id')::uuid
        union all
        select * from public.turns where p.message ->> 'status' is null
          and parent_id = (p.message ->> 'parent_id')::uuid and id::text = p.message #>> '{metadata,reply_of}'
      ) answering
      where answering.conversation_id = v_conversation and answering.user_id is not distinct from v_user
      order by answering.started_at desc limit 1
    ) t
    cross join lateral (
      -- As in chat_read_turn.
      with recursive chain as (
        select (p.message ->> 'id')::uuid as id, null::timestamptz as created_at, 0 as depth
          where p.message #> '{metadata,tools}' is not null
        union all
        select e.id, e.created_at, c.depth + 1 from chain c join public.messages e
          on e.conversation_id = v_conversation and e.parent_id = (p.message ->> 'parent_id')::uuid
            and e.metadata ->> 'superseded_by' = c.id::text
          where c.depth < 100 and exists (select from public.turns started where started.id = e.id)
      )
      select coalesce(array_agg(c.id order by c.depth desc, c.created_at), '{}') as ids from chain c
        where c.depth > 0
    ) earlier
    where p.message ->> 'role' = 'assistant';

  if v_before is null and v_last is not null then
    select * into v_open from public.turns t
      where t.conversation_id = v_conversation and t.user_id is not distinct from v_user
        and ((t.parent_id = (v_last ->> 'id')::uuid and (t.status in ('running', 'waiting') or t.message_id is null))
          -- Another reply to the same message is being made.
          or (v_last ->> 'role' = 'assistant' and t.parent_id = (v_last ->> 'parent_id')::uuid
            and t.status in ('running', 'waiting') and not exists (
              select from jsonb_array_elements(v_turns) shown where shown ->> 'id' = t.id::text)))
      order by t.started_at desc limit 1;
  end if;
  return v_page || jsonb_build_object('conversation_id', v_conversation, 'turns', v_turns,
    'open', case when v_open.id is not null then jsonb_build_object('turn_id', v_open.id,
      'replaces_last', v_open.parent_id is distinct from (v_last ->> 'id')::uuid) end);
end $$;
