-- Deletes conversations of any user that have been idle for `days`.
-- @param days, limit
-- @param max_messages as in chat_delete_conversations
-- @returns {deleted: how many, more: whether to call again}
create or replace function public.chat_delete_expired(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_expired timestamp := (clock_timestamp() - (argument ->> 'days')::integer * interval '1 day') at time zone 'UTC';
  v_left integer := (argument ->> 'max_messages')::integer;
  v_id uuid;
  v_part integer;
  v_count integer := 0;
begin
  perform public.chat_check_version(argument);
  for v_id in
    select c.id from public.conversations c
    where c.updated_at at time zone 'UTC' < v_expired
      and not exists (select from public.turns t where t.conversation_id = c.id and t.status = 'running')
    order by c.updated_at at time zone 'UTC' limit (argument ->> 'limit')::integer for update skip locked
  loop
    if v_left is not null then
      delete from public.messages where id in (
        select m.id from public.messages m where m.conversation_id = v_id
          order by m.created_at desc, m.id desc limit v_left);
      get diagnostics v_part = row_count;
      v_left := v_left - v_part;
      exit when v_left <= 0;
    end if;
    delete from public.conversations where id = v_id;
    v_count := v_count + 1;
  end loop;
  return jsonb_build_object('deleted', v_count, 'more', coalesce(v_left <= 0, false));
end $$;
