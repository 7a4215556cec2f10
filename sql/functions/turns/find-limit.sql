-- Returns the limit that keeps a user from starting a turn, as chat_begin_turn returns it. Two turns of one
-- user, or under one API key with a budget, are checked one after the other.
-- @param as in chat_begin_turn
-- @returns {limited, ...}; or {left: {tokens, cost, key_cost}} the rest of each limit per day that the turn
--   has, without the turn's own share, costs as text; or {}
create or replace function public.chat_find_limit(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_subject text := argument #>> '{allowance,subject}';
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_key text := argument #>> '{turn,key_name}';
  -- The day the turn counts on, by its server's clock: the database's may have another day.
  v_day date := ((argument #>> '{turn,started_at}')::timestamptz at time zone 'UTC')::date;
  v_estimate jsonb := argument #> '{turn,estimate}';
  v_cost numeric := coalesce(foreword.to_cost(v_estimate, v_estimate), 0);
  v_has_budget boolean := argument #>> '{allowance,cost_per_day}' is not null;
  v_turns integer;
  v_left bigint;
  v_cost_left numeric;
  v_key_left numeric := (argument #>> '{allowance,key_cost_per_day}')::numeric;
begin
  if argument #>> '{allowance,over}' is not null then
    return jsonb_build_object('limited', argument #>> '{allowance,over}');
  end if;
  perform pg_advisory_xact_lock(hashtextextended(format('foreword allowance %s', v_subject), 0));
  -- A turn without a sign of life is about to be ended. One that waits for its user keeps its tokens only.
  -- Tokens and costs count on the day on which their turn began.
  select count(*) filter (where t.status = 'running' and t.heartbeat_at > clock_timestamp() - interval '30 seconds'),
      (argument #>> '{allowance,tokens_per_day}')::bigint
        - coalesce(sum(coalesce((t.estimate ->> 'input_tokens')::bigint, 0)
          + coalesce((t.estimate ->> 'output_tokens')::bigint, 0)) filter (where t.day = v_day), 0),
      (argument #>> '{allowance,cost_per_day}')::numeric
        - coalesce(sum(case when v_has_budget then foreword.to_cost(t.estimate, t.estimate) end)
          filter (where t.day = v_day), 0)
    into v_turns, v_left, v_cost_left
    from (
      select r.status, r.heartbeat_at, r.estimate, (r.started_at at time zone 'UTC')::date as day
        from public.turns r where r.subject = v_subject and r.status = 'running'
      union all
      select r.status, r.heartbeat_at, r.estimate, (r.started_at at time zone 'UTC')::date as day
        from public.turn_waits w join public.turns r on r.id = w.turn_id
        where w.subject = v_subject and r.status = 'waiting'
    ) t;
  if v_turns >= (argument #>> '{allowance,concurrent_turns}')::integer then
    return jsonb_build_object('limited', 'concurrent-turns');
  end if;
  if v_left is not null or v_has_budget then
    select v_left - coalesce(sum(d.input_tokens + d.output_tokens), 0),
        v_cost_left - coalesce(sum(d.cost + d.tool_cost), 0)
      into v_left, v_cost_left
      from public.daily_usage d where d.user_id = v_user and d.day = v_day;
    if v_left < (v_estimate ->> 'input_tokens')::bigint + (v_estimate ->> 'output_tokens')::bigint then
      return jsonb_build_object('limited', 'tokens-per-day', 'tokens_left', greatest(v_left, 0));
    end if;
    if v_cost_left < v_cost then
      return jsonb_build_object('limited', 'cost-per-day', 'cost_left', greatest(v_cost_left, 0)::text);
    end if;
  end if;
  if v_key_left is not null and v_key is not null then
    perform pg_advisory_xact_lock(hashtextextended(format('foreword budget %s', v_key), 0));
    v_key_left := v_key_left - coalesce((select c.cost from public.daily_costs c
      where c.subject = format('key %s', v_key) and c.day = v_day), 0);
    if v_key_left < v_cost then
      return jsonb_build_object('limited', 'key-cost-per-day', 'cost_left', greatest(v_key_left, 0)::text);
    end if;
  end if;
  if coalesce(v_left, v_cost_left, v_key_left) is null then
    return '{}';
  end if;
  return jsonb_build_object('left', jsonb_strip_nulls(jsonb_build_object(
    'tokens', v_left - (v_estimate ->> 'input_tokens')::bigint - (v_estimate ->> 'output_tokens')::bigint,
    'cost', (v_cost_left - v_cost)::text, 'key_cost', (v_key_left - v_cost)::text)));
end $$;
