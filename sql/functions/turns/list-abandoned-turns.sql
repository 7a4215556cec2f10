-- Lists running turns whose process is gone: their owner is one of `owners`, or has given no sign of life for
-- 30 seconds.
-- @param owners [ids]
-- @param except [turn ids]
-- @param is_stale_too whether to include other owners' turns without a sign of life
-- @param limit
-- @returns [{turn_id, pieces}]
create or replace function public.chat_list_abandoned_turns(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  return coalesce((
    select jsonb_agg(jsonb_build_object('turn_id', a.id, 'pieces', (
      select coalesce(jsonb_agg(jsonb_build_object('position', p.position, 'text', p.text)
        order by p.position), '[]')
      from public.turn_pieces p where p.turn_id = a.id)))
    from (
      select t.id from public.turns t
      where t.status = 'running' and not argument -> 'except' ? t.id::text and (
        argument -> 'owners' ? t.owner::text
        or ((argument ->> 'is_stale_too')::boolean
          and t.heartbeat_at < clock_timestamp() - interval '30 seconds'))
      order by t.heartbeat_at limit (argument ->> 'limit')::integer
    ) a
  ), '[]');
end $$;
