-- Makes a waiting turn run in the calling process: one whose time limit has passed, whose open requests for
-- approval are then expired, or one that its user has asked to stop.
-- @param turn_id
-- @param reason `expired` or `stop`
-- @param owner the id of the process; claim: an id of this call, the same if it is repeated
-- @returns {claimed: {conversation_id, user_id, parent_id, model, started_at, state, pieces, events}}; or
--   {missing}, {not_waiting: the turn's status}, {not_due}
create or replace function public.chat_claim_waiting(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
  v_wait public.turn_waits;
begin
  perform public.chat_check_version(argument);
  select * into v_turn from public.turns where id = (argument ->> 'turn_id')::uuid for update;
  select * into v_wait from public.turn_waits where turn_id = v_turn.id;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  elsif v_turn.status = 'running' and v_wait.claim = (argument ->> 'claim')::uuid then
    return foreword.claim_turn(v_turn.id, argument);
  elsif v_turn.status <> 'waiting' then
    return jsonb_build_object('not_waiting', v_turn.status);
  elsif argument ->> 'reason' = 'stop' then
    if not v_turn.stop_requested then
      return jsonb_build_object('not_due', true);
    end if;
  elsif v_turn.stop_requested or v_wait.expires_at > clock_timestamp() then
    return jsonb_build_object('not_due', true);
  else
    perform foreword.settle_approvals(v_turn.id, (
      select coalesce(jsonb_agg(jsonb_build_object('approval_id', id, 'decision', 'expired')), '[]')
        from jsonb_array_elements_text(foreword.list_pending_approvals(v_turn.id)) id));
  end if;
  return foreword.claim_turn(v_turn.id, argument);
end $$;
