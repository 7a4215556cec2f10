-- Counts a turn in its user's usage, or takes it off again.
-- @param p_sign 1, or -1 for an end that another one replaces
-- @param p_tokens {input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, tool_calls, tool_cost,
--   cost: of the tokens, absent or null if unknown, turns: 0 if they are no turn's}
-- @param p_is_estimate whether its model reported no usage
create or replace function foreword.count_usage(
  p_user_id uuid, p_day date, p_sign integer, p_model text, p_tokens jsonb, p_is_estimate boolean
) returns void
language plpgsql set search_path = '' as $$
begin
  insert into public.daily_usage as d
      (user_id, day, model, turns, estimated_turns, input_tokens, output_tokens, reasoning_tokens,
        cached_input_tokens, tool_calls, tool_cost, cost, priced_tokens)
    values (
      p_user_id, p_day, coalesce(p_model, ''), p_sign * coalesce((p_tokens ->> 'turns')::integer, 1),
        case when p_is_estimate then p_sign else 0 end,
      p_sign * coalesce((p_tokens ->> 'input_tokens')::bigint, 0),
        p_sign * coalesce((p_tokens ->> 'output_tokens')::bigint, 0),
      p_sign * coalesce((p_tokens ->> 'reasoning_tokens')::bigint, 0),
        p_sign * coalesce((p_tokens ->> 'cached_input_tokens')::bigint, 0),
      p_sign * coalesce((p_tokens ->> 'tool_calls')::bigint, 0),
        p_sign * coalesce((p_tokens ->> 'tool_cost')::numeric, 0),
      p_sign * coalesce((p_tokens ->> 'cost')::numeric, 0),
        case when p_tokens ->> 'cost' is null then 0 else p_sign * (
          coalesce((p_tokens ->> 'input_tokens')::bigint, 0)
          + coalesce((p_tokens ->> 'output_tokens')::bigint, 0)) end
    )
    on conflict (user_id, day, model) do update set
      turns = d.turns + excluded.turns, estimated_turns = d.estimated_turns + excluded.estimated_turns,
      input_tokens = d.input_tokens + excluded.input_tokens,
        output_tokens = d.output_tokens + excluded.output_tokens,
      reasoning_tokens = d.reasoning_tokens + excluded.reasoning_tokens,
      cached_input_tokens = d.cached_input_tokens + excluded.cached_input_tokens,
      tool_calls = d.tool_calls + excluded.tool_calls, tool_cost = d.tool_cost + excluded.tool_cost,
      cost = d.cost + excluded.cost, priced_tokens = d.priced_tokens + excluded.priced_tokens;
end $$;
