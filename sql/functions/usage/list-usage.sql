-- Returns the usage of the user's turns by day and model, newest day first.
-- @param user_id or null
-- @param from, to days, both included
create or replace function public.chat_list_usage(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(to_jsonb(d) - 'user_id' order by d.day desc, d.model) from public.daily_usage d
    -- `is not distinct from` would read every row.
    where (d.user_id = v_user or (v_user is null and d.user_id is null))
      and d.day between (argument ->> 'from')::date and (argument ->> 'to')::date
      and (d.turns > 0 or d.input_tokens + d.output_tokens > 0)
  ), '[]');
end $$;
