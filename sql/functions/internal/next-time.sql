-- Returns the time of a conversation's next message: now, or a microsecond after its newest.
create or replace function foreword.next_time(p_conversation_id uuid) returns timestamptz
language plpgsql set search_path = '' as $$
declare
  -- Only with a bound that is known does a plan that is made while the table is small use the index of times.
  v_now timestamptz := clock_timestamp();
  v_newest timestamptz;
begin
  -- A time that a user has set to the end of time has no next one.
  select m.created_at into v_newest from public.messages m
    where m.conversation_id = p_conversation_id and m.created_at < v_now + interval '1 day'
    order by m.created_at desc limit 1;
  return greatest(v_now, v_newest + interval '1 microsecond');
end $$;
