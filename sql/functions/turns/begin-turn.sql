-- Begins a turn: stores its messages, and the turn as running. Repeating the same begin is harmless.
-- @param as in chat_save_messages
-- @param extends the reply that the turn goes on with: as in foreword.extend_reply, or null
-- @param turn {id, model, started_at, owner, idempotency_key, request_digest, estimate: {input_tokens,
--   output_tokens, since version 9 input_price, output_price: of a million tokens, absent if unknown},
--   key_name: since version 9, the API key whose budget it counts in, or null; request: since version 10, the
--   parts of the request that its wire repeats, or null}
-- @param allowance null for no limits, or {subject, over: a limit that is known to be reached, or null,
--   concurrent_turns, tokens_per_day: each null for no limit; since version 9 also cost_per_day, and
--   key_cost_per_day of the API key}
-- @param attachments [{id, size_bytes}] that its messages hold; null for none
-- @param max_attachment_bytes of all attachments of a user; null for no limit
-- @param if_running since version 9, for a conversation in which turns of its user run or wait: `reject` and
--   `stop` return them as {running}; `branch` begins beside them, as in chat_find_place; null: as the path is
-- @param words of its last message and of a new conversation's title, as in foreword.store_words; absent if
--   a server is to read them later
-- @param check_only writes nothing, and returns {free: true} if the turn could begin
-- @returns what chat_save_messages returns; or, with nothing written, one of
--   {taken: {turn_id, request_digest}} the key belongs to another turn of the last 24 hours. A late begin is
--     stored without its key instead: that turn has already been answered.
--   {exists} another turn has this id
--   {deleted} as in chat_save_messages; since version 10 also if the turn itself was deleted since it began
--   {running} the turn would continue from a leaf that this turn of the same user is still answering. For
--     `reject` and `stop` also {turns}: all that run or wait, newest first
--   {foreign} the named conversation belongs to another user
--   {limited: requests, concurrent-turns, tokens-per-day, cost-per-day or key-cost-per-day, tokens_left or
--     cost_left: today's}
--   {full} its user would have more than `max_attachment_bytes`
--   With `attachments` the result also has {attachments}, as foreword.find_attachments returns it; of a turn
--   with limits per day, since version 9, {left}, as chat_find_limit returns it.
create or replace function public.chat_begin_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument #>> '{turn,id}')::uuid;
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_key text := argument #>> '{turn,idempotency_key}';
  v_started timestamptz := (argument #>> '{turn,started_at}')::timestamptz;
  v_turn public.turns;
  v_limited jsonb := '{}';
  v_saved jsonb;
  v_is_late boolean := coalesce((argument ->> 'late')::boolean, false);
  v_has_attachments boolean := coalesce(jsonb_typeof(argument -> 'attachments') = 'array', false);
  v_history_tokens integer := 0;
  v_running jsonb;
  v_estimate jsonb := nullif(argument #> '{turn,estimate}', 'null');
begin
  perform public.chat_check_version(argument);
  -- One begin at a time with an id, so that the second finds the first.
  perform pg_advisory_xact_lock(hashtextextended(format('foreword turn %s', v_id), 0));
  if v_key is not null then
    -- One begin at a time under a key, so that the second finds the first.
    perform pg_advisory_xact_lock(hashtextextended(format('foreword key %s %s', v_user, v_key), 0));
    select * into v_turn from public.turns
      where idempotency_key = v_key and user_id is not distinct from v_user
        and (id <> v_id or started_at <> v_started);
    if v_turn.started_at < clock_timestamp() - interval '24 hours' then
      update public.turns set idempotency_key = null where id = v_turn.id;
    elsif v_turn.id is not null and coalesce((argument ->> 'late')::boolean, false) then
      v_key := null;
    elsif v_turn.id is not null then
      return jsonb_build_object('taken', jsonb_build_object(
        'turn_id', v_turn.id, 'request_digest', encode(v_turn.request_digest, 'hex')));
    end if;
  end if;
  select * into v_turn from public.turns where id = v_id;
  if found then
    -- If two processes get the same id in the same millisecond, one of them has it. A begin that waited may
    -- come from the journal of a process that is gone.
    if v_turn.started_at is distinct from v_started or v_turn.user_id is distinct from v_user
      or (not v_is_late and v_turn.owner::text <> argument #>> '{turn,owner}')
      or (v_is_late and argument ? 'owners' and not argument -> 'owners' ? v_turn.owner::text)
    then
      return jsonb_build_object('exists', true);
    end if;
    return jsonb_build_object('conversation_id', v_turn.conversation_id, 'message_id', v_turn.parent_id,
      'digest', coalesce((select encode(m.digest, 'hex') from public.messages m
        where m.id = v_turn.parent_id), ''))
      || case when v_has_attachments then foreword.find_attachments(argument) else '{}' end;
  end if;
  if exists (
    select from public.deleted_turns d where d.id = v_id and d.user_id is not distinct from v_user
      and d.deleted_at >= clock_timestamp()
        - (argument #>> '{conversation,age_ms}')::bigint * interval '1 millisecond'
  ) then
    return jsonb_build_object('deleted', true);
  end if;
  -- The conditions without a query come first, so that most turns need no plan here.
  if (argument #>> '{conversation,is_named}')::boolean and (argument #>> '{conversation,must_own}')::boolean
    and not v_is_late and argument #>> '{conversation,chat_id}' is null
    and not coalesce((argument #>> '{continue,must_exist}')::boolean, false)
  then
    if exists (select from public.conversations c
      where c.id = (argument #>> '{conversation,id}')::uuid and c.user_id is distinct from v_user)
    then
      return jsonb_build_object('foreign', true);
    end if;
  end if;
  if argument ->> 'if_running' in ('reject', 'stop') and not v_is_late then
    -- Before the limits: a turn that is stopped does not count.
    v_running := foreword.find_running(argument);
    if v_running is not null then
      return v_running;
    end if;
  end if;
  if jsonb_typeof(argument -> 'allowance') = 'object'
    and not coalesce((argument ->> 'late')::boolean, false) then
    v_limited := public.chat_find_limit(argument);
    if v_limited ? 'limited' then
      return v_limited;
    end if;
  end if;
  if v_has_attachments and not v_is_late and foreword.exceeds_attachments(argument) then
    return jsonb_build_object('full', true);
  end if;
  if coalesce((argument ->> 'check_only')::boolean, false) then
    return jsonb_build_object('free', true);
  end if;
  if jsonb_typeof(argument -> 'continue') = 'object' and v_limited ? 'left' then
    -- The messages before the path count too, and are known once the path's place is.
    begin
      v_saved := public.chat_save_messages(argument);
      v_history_tokens := octet_length(coalesce(v_saved ->> 'history', '')) / 4;
      v_estimate := jsonb_set(v_estimate, '{input_tokens}',
        to_jsonb((v_estimate ->> 'input_tokens')::bigint + v_history_tokens));
      v_limited := public.chat_find_limit(jsonb_set(argument, '{turn,estimate}', v_estimate));
      if v_limited ? 'limited' then
        raise exception 'limited' using errcode = 'FWLIM';
      end if;
    exception when sqlstate 'FWLIM' then
      return v_limited;
    end;
  else
    v_saved := public.chat_save_messages(argument);
  end if;
  if v_saved ? 'message_id' then
    insert into public.turns
        (id, conversation_id, user_id, parent_id, model, started_at, owner, idempotency_key, request_digest,
          estimate, subject, key_name, request)
      values (
        v_id, (v_saved ->> 'conversation_id')::uuid, v_user, (v_saved ->> 'message_id')::uuid,
          argument #>> '{turn,model}',
        v_started, (argument #>> '{turn,owner}')::uuid, v_key,
          decode(argument #>> '{turn,request_digest}', 'hex'),
        v_estimate, argument #>> '{allowance,subject}', argument #>> '{turn,key_name}',
          nullif(argument #> '{turn,request}', 'null')
      )
      on conflict (id) do nothing;
    if argument #>> '{turn,key_name}' is not null then
      perform foreword.count_cost(argument #>> '{turn,key_name}', (v_started at time zone 'UTC')::date,
        foreword.to_cost(v_estimate, v_estimate));
    end if;
    if jsonb_typeof(argument -> 'extends') = 'object' then
      perform foreword.extend_reply(v_id, (v_saved ->> 'conversation_id')::uuid,
        (v_saved ->> 'message_id')::uuid, argument -> 'extends');
    end if;
  end if;
  if v_has_attachments and v_saved ? 'message_id' then
    v_saved := v_saved || foreword.find_attachments(argument);
  end if;
  return v_saved || (v_limited - 'limited');
end $$;
