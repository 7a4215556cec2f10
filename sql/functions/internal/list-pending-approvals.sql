-- Lists the ids of a turn's requests for approval that are not settled, in their order.
create or replace function foreword.list_pending_approvals(p_turn_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return coalesce((
    select jsonb_agg(e.data ->> 'approvalId' order by e.position, e.ordinal) from public.turn_events e
      where e.turn_id = p_turn_id and e.type = 'approval-request' and not exists (
        select from public.turn_events r where r.turn_id = p_turn_id and r.type = 'approval-response'
          and r.data ->> 'approvalId' = e.data ->> 'approvalId')), '[]');
end $$;
