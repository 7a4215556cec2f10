-- Counts the turns that are deleted while they run or wait. They have no end that would be counted, so the
-- reserved estimate counts as their usage.
create or replace function public.chat_count_deleted_turns() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.daily_usage as d (user_id, day, model, turns, estimated_turns, input_tokens,
    output_tokens, cost, priced_tokens)
    select user_id, (started_at at time zone 'UTC')::date, coalesce(model, ''), count(*), count(*),
        sum(coalesce((estimate ->> 'input_tokens')::bigint, 0)),
          sum(coalesce((estimate ->> 'output_tokens')::bigint, 0)),
        sum((coalesce((estimate ->> 'input_tokens')::numeric, 0)
            * coalesce((estimate ->> 'input_price')::numeric, 0)
          + coalesce((estimate ->> 'output_tokens')::numeric, 0)
            * coalesce((estimate ->> 'output_price')::numeric, 0)) * 0.000001),
        sum(case when estimate ->> 'input_price' is null then 0
          else coalesce((estimate ->> 'input_tokens')::bigint, 0)
            + coalesce((estimate ->> 'output_tokens')::bigint, 0) end)
      from gone where status in ('running', 'waiting') group by 1, 2, 3
    on conflict (user_id, day, model) do update set
      turns = d.turns + excluded.turns, estimated_turns = d.estimated_turns + excluded.estimated_turns,
      input_tokens = d.input_tokens + excluded.input_tokens,
        output_tokens = d.output_tokens + excluded.output_tokens,
      cost = d.cost + excluded.cost, priced_tokens = d.priced_tokens + excluded.priced_tokens;
  return null;
end $$;
