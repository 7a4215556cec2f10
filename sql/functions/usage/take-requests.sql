-- Reserves up to `wanted` requests from the subject's one-minute window, which begins with its first request.
-- @param subject a user or an address
-- @param wanted
-- @param max requests per minute
-- @returns {granted, left, resets_in_ms: until the next window}
create or replace function public.chat_take_requests(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_subject text := argument ->> 'subject';
  v_max integer := (argument ->> 'max')::integer;
  v_now timestamptz := clock_timestamp();
  v_count public.request_counts;
  v_granted integer;
begin
  perform public.chat_check_version(argument);
  -- One statement: between two, another call could delete the row. A window that begins more than a minute in
  -- the future comes from another clock.
  insert into public.request_counts as c (subject, started_at, count) values (v_subject, v_now, 0)
    on conflict (subject) do update set
      started_at = case when abs(extract(epoch from v_now - c.started_at)) >= 60 then v_now
        else c.started_at end,
      count = case when abs(extract(epoch from v_now - c.started_at)) >= 60 then 0 else c.count end
    returning * into v_count;
  if v_count.started_at = v_now then
    delete from public.request_counts where subject in (
      select c.subject from public.request_counts c where c.started_at < v_now - interval '1 hour'
        limit 100 for update skip locked);
  end if;
  v_granted := greatest(least((argument ->> 'wanted')::integer, v_max - v_count.count), 0);
  update public.request_counts set count = v_count.count + v_granted where subject = v_subject;
  return jsonb_build_object('granted', v_granted, 'left', greatest(v_max - v_count.count - v_granted, 0),
    'resets_in_ms', ceil(extract(epoch from v_count.started_at + interval '1 minute' - v_now) * 1000));
end $$;
