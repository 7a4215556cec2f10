-- Deletes conversations of the user with all their messages and turns.
-- @param user_id or null
-- @param conversation_id null for up to `limit` conversations
-- @param limit
-- @param max_messages about how many messages to delete at most, newest first: an embedded database does
--   nothing else meanwhile
-- @returns {deleted: how many, more: whether to call again}
create or replace function public.chat_delete_conversations(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_left integer := (argument ->> 'max_messages')::integer;
  v_id uuid;
  v_part integer;
  v_count integer := 0;
begin
  perform public.chat_become_caller(argument);
  for v_id in
    select c.id from public.conversations c
    where c.user_id is not distinct from v_user
      and (argument ->> 'conversation_id' is null or c.id = (argument ->> 'conversation_id')::uuid)
    limit (argument ->> 'limit')::integer
  loop
    -- The end of a turn locks the conversation before its messages too: the other order would be a deadlock.
    perform from public.conversations c where c.id = v_id for update;
    if v_left is not null then
      delete from public.messages where id in (
        select m.id from public.messages m where m.conversation_id = v_id
          order by m.created_at desc, m.id desc limit v_left);
      get diagnostics v_part = row_count;
      v_left := v_left - v_part;
      exit when v_left <= 0;
    end if;
    delete from public.conversations where id = v_id and user_id is not distinct from v_user;
    get diagnostics v_part = row_count;
    v_count := v_count + v_part;
  end loop;
  return jsonb_build_object('deleted', v_count, 'more', coalesce(v_left <= 0, false));
end $$;
