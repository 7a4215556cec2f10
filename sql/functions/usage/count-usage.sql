-- Counts tokens that the server used for a user outside of turns, such as those of a title. Since version 9.
-- @param user_id or null
-- @param key_name the API key whose budget they count in, or null
-- @param model, usage {input_tokens, output_tokens, reasoning_tokens, cached_input_tokens}
-- @param cost of the tokens, or null if unknown
-- @param counted_at the time, whose day (UTC) they count on
create or replace function public.chat_count_usage(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_day date := ((argument ->> 'counted_at')::timestamptz at time zone 'UTC')::date;
begin
  perform public.chat_check_version(argument);
  perform foreword.count_usage((argument ->> 'user_id')::uuid, v_day, 1, argument ->> 'model',
    argument -> 'usage' || jsonb_build_object('cost', argument ->> 'cost', 'turns', 0), false);
  if argument ->> 'key_name' is not null then
    perform foreword.count_cost(argument ->> 'key_name', v_day, (argument ->> 'cost')::numeric);
  end if;
  return '{}';
end $$;
