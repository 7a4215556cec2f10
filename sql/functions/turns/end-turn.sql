-- Ends a turn: stores its reply, if there is one, and its outcome, and deletes its pieces. Repeating the same
-- end is harmless. A turn that was taken for abandoned ends again when its owner's own end arrives: the whole
-- reply then stands beside the interrupted one, whose `superseded_by` names it. A turn that waited once is
-- ended by the process that claimed it.
-- @param turn {id, status, plan, answer, model, usage, estimate: if the model reported no usage (the begin's
--   estimate fills its gaps), finish_reason, error_code, duration_ms, first_text_ms, ended_at; since version
--   9, attempts: [{model, error_code}], the models that failed before the one that replied, if any, context:
--   {messages_left_out, images_left_out, results_left_out, is_summarised, is_retried}, unless all was sent,
--   and cost: of its tokens, or null if the begin's prices have to do}
-- @param reply {id, content: if it is not the answer, metadata, digest}, or null
-- @param items [{position, ordinal, type, data}]: the turn's items but for its reasoning, which replace those
--   saved; absent if there are none
-- @param words of its reply, as in foreword.store_words; absent if a server is to read them later
-- @param owners optional: the ids of the process that ran the turn. If another one has claimed it since,
--   nothing changes
-- @param pause only from journals: the argument is one of chat_pause_turn
-- @param age_ms how long the end has waited, if it has
-- @param if_abandoned {owners, is_stale_too}: ends the turn only if chat_list_abandoned_turns would list it;
--   or null
-- @returns {conversation_id, is_changed}; or {gone} if the conversation was deleted meanwhile
create or replace function public.chat_end_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
  v_conversation public.conversations;
  v_message uuid;
  v_usage jsonb;
  v_estimate jsonb;
  v_day date;
  v_is_over boolean := false;
  v_is_leaf boolean;
  v_cost numeric; -- of its tokens
begin
  perform public.chat_check_version(argument);
  if argument ? 'pause' then
    return public.chat_pause_turn(argument);
  end if;
  select c.* into v_conversation from public.conversations c
    join public.turns t on t.conversation_id = c.id
      where t.id = (argument #>> '{turn,id}')::uuid for update of c;
  select * into v_turn from public.turns where id = (argument #>> '{turn,id}')::uuid for update;
  if v_turn.id is null or v_conversation.id is null then
    return jsonb_build_object('gone', true);
  end if;
  if jsonb_typeof(argument -> 'if_abandoned') = 'object' then
    v_is_over := v_turn.status <> 'running' or not coalesce(
      argument #> '{if_abandoned,owners}' ? v_turn.owner::text
      or ((argument #>> '{if_abandoned,is_stale_too}')::boolean
        and v_turn.heartbeat_at < clock_timestamp() - interval '30 seconds'),
      false);
  elsif v_turn.status = 'running' then
    if not coalesce(argument -> 'owners' ? v_turn.owner::text, true) then
      v_is_over := exists (select from public.turn_waits w where w.turn_id = v_turn.id and w.claim is not null);
    end if;
  elsif v_turn.status = 'interrupted' then
    v_is_over := argument #>> '{turn,status}' = 'interrupted'
      and v_turn.answer is not distinct from argument #>> '{turn,answer}'
      and v_turn.plan is not distinct from argument #>> '{turn,plan}'
      and not exists (
        select from jsonb_to_recordset(coalesce(argument -> 'items', '[]')) as i (position integer, ordinal integer)
          where not exists (select from public.turn_events e where e.turn_id = v_turn.id
            and e.position = i.position and e.ordinal = i.ordinal));
  else
    v_is_over := v_turn.status <> 'waiting';
  end if;
  if v_is_over then
    return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', false);
  end if;

  if jsonb_typeof(argument -> 'reply') = 'object' then
    v_message := foreword.store_reply(v_turn.id, v_turn.conversation_id, v_turn.parent_id,
      v_conversation.user_id, argument);
    if v_turn.message_id <> v_message then
      update public.messages set metadata = foreword.to_object(metadata)
        || jsonb_build_object('superseded_by', v_message)
        where id = v_turn.message_id;
    end if;
    -- The reply becomes the leaf, unless the conversation has gone on from another message than the one it
    -- answers, or ends in another reply to that message which was asked for later.
    v_is_leaf := v_conversation.leaf_id is null or v_turn.parent_id is null
      or v_conversation.leaf_id = v_turn.parent_id;
    if not v_is_leaf then
      v_is_leaf := exists (select from public.messages m where m.id = v_conversation.leaf_id
          and m.parent_id = v_turn.parent_id and m.role = 'assistant')
        and not exists (select from public.turns t where t.message_id = v_conversation.leaf_id
          and t.started_at > v_turn.started_at);
    end if;
    if v_is_leaf then
      update public.conversations set leaf_id = v_message,
          updated_at = greatest(updated_at,
            clock_timestamp() - coalesce((argument ->> 'age_ms')::bigint, 0) * interval '1 millisecond')
        where id = v_turn.conversation_id;
    end if;
  end if;
  if v_message is null then
    -- The reply is empty, but its client went on below it.
    update public.messages m set status = argument #>> '{turn,status}',
        metadata = foreword.to_object(m.metadata) - 'reply_of'
      where m.conversation_id = v_turn.conversation_id and m.parent_id = v_turn.parent_id
        and m.role = 'assistant' and m.status is null
        and (m.id = v_turn.id or m.metadata ->> 'reply_of' = v_turn.id::text)
      returning m.id into v_message;
  end if;
  if exists (select from public.turn_pieces where turn_id = v_turn.id)
    or exists (select from public.turn_events where turn_id = v_turn.id)
    or exists (select from public.turn_waits where turn_id = v_turn.id)
  then
    delete from public.turn_pieces where turn_id = v_turn.id;
    delete from public.turn_waits where turn_id = v_turn.id;
    delete from public.turn_events where turn_id = v_turn.id
      and (type = 'reasoning-delta' or argument ? 'items');
  end if;
  if argument ? 'items' then
    perform foreword.save_items(v_turn.id, argument -> 'items');
  end if;
  -- The usage of a turn that waited counts as far as known.
  v_usage := coalesce(nullif(argument #> '{turn,usage}', 'null'),
    case when v_turn.status in ('running', 'waiting') then v_turn.usage end);
  v_estimate := case when v_usage is null then coalesce(v_turn.estimate, '{}')
    || coalesce(nullif(argument #> '{turn,estimate}', 'null'), '{}') end;
  v_day := (v_turn.started_at at time zone 'UTC')::date;
  v_cost := coalesce((argument #>> '{turn,cost}')::numeric,
    foreword.to_cost(coalesce(v_usage, v_estimate), v_turn.estimate));
  v_estimate := v_estimate - 'input_price' - 'output_price';
  perform foreword.count_usage(v_turn.user_id, v_day, 1, coalesce(argument #>> '{turn,model}', v_turn.model),
    coalesce(v_usage, v_estimate) || jsonb_build_object('cost', v_cost), v_usage is null);
  -- An end that this one replaces is not counted twice. One that came before anything was counted has no
  -- estimate.
  if v_turn.status not in ('running', 'waiting') and coalesce(v_turn.usage, v_turn.estimate) is not null then
    perform foreword.count_usage(v_turn.user_id, v_day, -1, v_turn.model,
      coalesce(v_turn.usage, v_turn.estimate) || jsonb_build_object('cost', v_turn.cost), v_turn.usage is null);
  end if;
  if v_turn.key_name is not null then
    -- Its cost takes the place of its reservation, or of the cost that an earlier end has counted.
    perform foreword.count_cost(v_turn.key_name, v_day,
      coalesce(v_cost, 0) + coalesce((v_usage ->> 'tool_cost')::numeric, 0)
      - coalesce(case when v_turn.status in ('running', 'waiting')
        then foreword.to_cost(v_turn.estimate, v_turn.estimate)
        else coalesce(v_turn.cost, 0) + coalesce((v_turn.usage ->> 'tool_cost')::numeric, 0) end, 0));
  end if;
  update public.turns set
    status = argument #>> '{turn,status}', plan = argument #>> '{turn,plan}',
      answer = argument #>> '{turn,answer}',
    model = coalesce(argument #>> '{turn,model}', model), usage = v_usage, estimate = v_estimate,
      cost = v_cost, subject = null,
    attempts = coalesce(nullif(argument #> '{turn,attempts}', 'null'), attempts),
    context = coalesce(nullif(argument #> '{turn,context}', 'null'), context),
    finish_reason = argument #>> '{turn,finish_reason}', error_code = argument #>> '{turn,error_code}',
    duration_ms = (argument #>> '{turn,duration_ms}')::integer,
      first_text_ms = (argument #>> '{turn,first_text_ms}')::integer,
    ended_at = (argument #>> '{turn,ended_at}')::timestamptz, message_id = coalesce(v_message, message_id)
    where id = v_turn.id;
  return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', true);
end $$;
