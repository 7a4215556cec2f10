-- Returns the cost of an API key's turns that began on one day (UTC), as its budget counts it: turns that are
-- not over count with their reservations. Since version 10.
-- @param key_name, day
-- @returns {cost: as text}
create or replace function public.chat_read_key_cost(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  return jsonb_build_object('cost', coalesce((select c.cost from public.daily_costs c
    where c.subject = format('key %s', argument ->> 'key_name') and c.day = (argument ->> 'day')::date), 0)::text);
end $$;
