-- Lists running turns whose process is gone: their owner is one of `owners`, or has given no sign of life for
-- 30 seconds. Then waiting turns that must be claimed: see chat_claim_waiting.
-- @param owners [ids]
-- @param except [turn ids]
-- @param is_stale_too whether to include other owners' turns without a sign of life
-- @param limit
-- @returns [{turn_id, pieces, events, reason: why a waiting turn must be claimed, else null}]
create or replace function public.chat_list_abandoned_turns(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off as $$
begin
  -- A plan that is made while the table is small would go on to read all of it when it is large.
  perform public.chat_check_version(argument);
  return coalesce((
    select jsonb_agg(jsonb_build_object('turn_id', a.id, 'reason', a.reason, 'pieces', (
        select coalesce(jsonb_agg(jsonb_build_object('position', p.position, 'text', p.text)
          order by p.position), '[]')
        from public.turn_pieces p where p.turn_id = a.id and a.reason is null),
      'events', (
        select coalesce(jsonb_agg(jsonb_build_object('position', e.position, 'ordinal', e.ordinal,
          'type', e.type, 'data', e.data) order by e.position, e.ordinal), '[]')
        from public.turn_events e where e.turn_id = a.id and a.reason is null)))
    from (
      select listed.* from (
        (select t.id, null as reason, t.heartbeat_at as since from public.turns t
          where t.status = 'running' and not argument -> 'except' ? t.id::text and (
            argument -> 'owners' ? t.owner::text
            or ((argument ->> 'is_stale_too')::boolean
              and t.heartbeat_at < clock_timestamp() - interval '30 seconds'))
          order by t.heartbeat_at limit (argument ->> 'limit')::integer)
        union all
        (select t.id, case when t.stop_requested then 'stop' else 'expired' end, w.expires_at
          from public.turn_waits w join public.turns t on t.id = w.turn_id
          where w.expires_at <= clock_timestamp()
            and t.status = 'waiting' and not argument -> 'except' ? t.id::text
          order by w.expires_at limit (argument ->> 'limit')::integer)
      ) listed
      order by listed.reason is not null, listed.since limit (argument ->> 'limit')::integer
    ) a
  ), '[]');
end $$;
