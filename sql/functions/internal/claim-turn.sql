-- Makes a waiting turn run in a process, and describes it. The description stays available to the call that
-- claimed the turn, until the turn ends or waits again.
-- @param argument {owner, claim}
-- @returns {claimed: as in chat_claim_waiting}
create or replace function foreword.claim_turn(p_turn_id uuid, argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
begin
  update public.turns set status = 'running', owner = (argument ->> 'owner')::uuid,
      heartbeat_at = clock_timestamp()
    where id = p_turn_id;
  update public.turn_waits set claim = (argument ->> 'claim')::uuid, expires_at = 'infinity'
    where turn_id = p_turn_id;
  return jsonb_build_object('claimed', (
    select jsonb_build_object('conversation_id', t.conversation_id, 'user_id', t.user_id,
        'parent_id', t.parent_id, 'model', t.model, 'started_at', t.started_at, 'state', w.state,
        'request', t.request,
        'pieces', (select coalesce(jsonb_agg(jsonb_build_object('position', p.position, 'text', p.text)
          order by p.position), '[]') from public.turn_pieces p where p.turn_id = t.id),
        'events', (select coalesce(jsonb_agg(jsonb_build_object('position', e.position, 'ordinal', e.ordinal,
          'type', e.type, 'data', e.data) order by e.position, e.ordinal), '[]')
          from public.turn_events e where e.turn_id = t.id))
      from public.turns t join public.turn_waits w on w.turn_id = t.id where t.id = p_turn_id));
end $$;
