-- Counts tokens that the server used for a user and that no row of a turn counts: those of a title, or of a
-- turn that is not kept. Since version 9.
-- @param user_id or null
-- @param key_name the API key whose budget they count in, or null
-- @param model, usage {input_tokens, output_tokens, reasoning_tokens, cached_input_tokens; since version 10,
--   tool_calls, tool_cost}
-- @param turns since version 10: 1 if they are a turn's; is_estimate: whether its model reported no usage
-- @param cost of the tokens, or null if unknown
-- @param counted_at the time, whose day (UTC) they count on
create or replace function public.chat_count_usage(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_day date := ((argument ->> 'counted_at')::timestamptz at time zone 'UTC')::date;
begin
  perform public.chat_check_version(argument);
  perform foreword.count_usage((argument ->> 'user_id')::uuid, v_day, 1, argument ->> 'model',
    argument -> 'usage' || jsonb_build_object('cost', argument ->> 'cost', 'turns', coalesce(argument -> 'turns', '0')),
    coalesce((argument ->> 'is_estimate')::boolean, false));
  if argument ->> 'key_name' is not null then
    perform foreword.count_cost(argument ->> 'key_name', v_day, coalesce((argument ->> 'cost')::numeric, 0)
      + coalesce((argument #>> '{usage,tool_cost}')::numeric, 0));
  end if;
  return '{}';
end $$;
