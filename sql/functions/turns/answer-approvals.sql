-- Stores a user's answers to a waiting turn's requests for approval. The last one makes the turn run in the
-- process that brings it. Repeating the same answers is harmless.
-- @param turn_id, user_id or null
-- @param answers [{approval_id, is_approved, reason}]
-- @param owner the id of the process; claim: an id of this call, the same if it is repeated
-- @returns {claimed: as chat_claim_waiting returns it}; {pending: [ids of approvals that are still open]};
--   or, with nothing stored, {missing}, {not_waiting: the turn's status; stopped if it is about to be},
--   {unknown: an approval's id}, {settled: one that was answered differently}, {expired: one that came too
--   late}
create or replace function public.chat_answer_approvals(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
  v_wait public.turn_waits;
  v_answer record;
  v_settled text;
  v_new jsonb := '[]';
begin
  perform public.chat_check_version(argument);
  select * into v_turn from public.turns where id = (argument ->> 'turn_id')::uuid
    and user_id is not distinct from (argument ->> 'user_id')::uuid for update;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  end if;
  select * into v_wait from public.turn_waits where turn_id = v_turn.id;
  if v_turn.status = 'running' and v_wait.claim = (argument ->> 'claim')::uuid then
    return foreword.claim_turn(v_turn.id, argument);
  end if;
  for v_answer in
    select a.approval_id as id, case when a.is_approved then 'approved' else 'denied' end as decision, a.reason
      from jsonb_to_recordset(argument -> 'answers') as a (approval_id text, is_approved boolean, reason text)
  loop
    if not exists (select from public.turn_events e where e.turn_id = v_turn.id
      and e.type = 'approval-request' and e.data ->> 'approvalId' = v_answer.id) then
      -- The requests of a turn that runs may not be saved yet.
      return case v_turn.status when 'running' then jsonb_build_object('not_waiting', 'running')
        else jsonb_build_object('unknown', v_answer.id) end;
    end if;
    v_settled := coalesce(
      (select e.data ->> 'decision' from public.turn_events e where e.turn_id = v_turn.id
        and e.type = 'approval-response' and e.data ->> 'approvalId' = v_answer.id limit 1),
      (select n ->> 'decision' from jsonb_array_elements(v_new) n where n ->> 'approval_id' = v_answer.id));
    if v_settled is null then
      v_new := v_new || jsonb_build_object('approval_id', v_answer.id, 'decision', v_answer.decision,
        'reason', v_answer.reason);
    elsif v_settled <> v_answer.decision then
      return jsonb_build_object(case v_settled when 'expired' then 'expired' else 'settled' end, v_answer.id);
    end if;
  end loop;
  if v_new <> '[]' and (v_turn.status <> 'waiting' or v_turn.stop_requested) then
    return jsonb_build_object('not_waiting',
      case v_turn.status when 'waiting' then 'stopped' else v_turn.status end);
  elsif v_new <> '[]' and v_wait.expires_at <= clock_timestamp() then
    return jsonb_build_object('expired', v_new #>> '{0,approval_id}');
  end if;
  perform foreword.settle_approvals(v_turn.id, v_new);
  v_new := foreword.list_pending_approvals(v_turn.id);
  if v_turn.status = 'waiting' and not v_turn.stop_requested and v_new = '[]' then
    return foreword.claim_turn(v_turn.id, argument);
  end if;
  return jsonb_build_object('pending', v_new);
end $$;
