-- Adds the responses to a turn's requests for approval after its last text and item.
-- @param p_responses [{approval_id, decision, reason: or null}]
create or replace function foreword.settle_approvals(p_turn_id uuid, p_responses jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  -- A position counts bytes of UTF-8, which the database's encoding need not be.
  v_position integer := greatest(
    (select max(p.position + octet_length(convert_to(p.text, 'utf8'))) from public.turn_pieces p
      where p.turn_id = p_turn_id),
    (select max(e.position) from public.turn_events e where e.turn_id = p_turn_id), 0);
  v_ordinal integer := coalesce((select max(e.ordinal) from public.turn_events e
    where e.turn_id = p_turn_id and e.position = v_position), 0);
begin
  insert into public.turn_events (turn_id, position, ordinal, type, data)
    select p_turn_id, v_position, v_ordinal + r.place, 'approval-response', jsonb_strip_nulls(jsonb_build_object(
      'approvalId', r.response ->> 'approval_id',
      'callId', (select e.data ->> 'callId' from public.turn_events e where e.turn_id = p_turn_id
        and e.type = 'approval-request' and e.data ->> 'approvalId' = r.response ->> 'approval_id' limit 1),
      'decision', r.response ->> 'decision', 'reason', r.response ->> 'reason'))
    from jsonb_array_elements(p_responses) with ordinality as r (response, place);
end $$;
