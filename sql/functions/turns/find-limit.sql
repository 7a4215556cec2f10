-- Returns the limit that keeps a user from starting a turn, as chat_begin_turn returns it, or {}. Two turns
-- of one user are checked one after the other.
-- @param as in chat_begin_turn
create or replace function public.chat_find_limit(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_subject text := argument #>> '{allowance,subject}';
  -- The day the turn counts on, by its server's clock: the database's may have another day.
  v_day date := ((argument #>> '{turn,started_at}')::timestamptz at time zone 'UTC')::date;
  v_turns integer;
  v_left bigint;
begin
  if argument #>> '{allowance,over}' is not null then
    return jsonb_build_object('limited', argument #>> '{allowance,over}');
  end if;
  perform pg_advisory_xact_lock(hashtextextended(format('foreword allowance %s', v_subject), 0));
  -- A turn without a sign of life is about to be ended. One that waits for its user keeps its tokens only.
  select count(*) filter (where t.status = 'running' and t.heartbeat_at > clock_timestamp() - interval '30 seconds'),
      (argument #>> '{allowance,tokens_per_day}')::bigint
        - coalesce(sum(coalesce((t.estimate ->> 'input_tokens')::bigint,
          0) + coalesce((t.estimate ->> 'output_tokens')::bigint, 0)), 0)
    into v_turns, v_left
    from (
      select r.status, r.heartbeat_at, r.estimate from public.turns r
        where r.subject = v_subject and r.status = 'running'
      union all
      select r.status, r.heartbeat_at, r.estimate from public.turn_waits w
        join public.turns r on r.id = w.turn_id where w.subject = v_subject and r.status = 'waiting'
    ) t;
  if v_turns >= (argument #>> '{allowance,concurrent_turns}')::integer then
    return jsonb_build_object('limited', 'concurrent-turns');
  end if;
  if v_left is not null then
    v_left := v_left - coalesce((select sum(d.input_tokens + d.output_tokens) from public.daily_usage d
      where d.user_id = (argument #>> '{conversation,user_id}')::uuid and d.day = v_day), 0);
    if v_left < (argument #>> '{turn,estimate,input_tokens}')::bigint
        + (argument #>> '{turn,estimate,output_tokens}')::bigint then
      return jsonb_build_object('limited', 'tokens-per-day', 'tokens_left', greatest(v_left, 0));
    end if;
  end if;
  return '{}';
end $$;
