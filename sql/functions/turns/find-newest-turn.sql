-- Returns the newest turn of a conversation.
-- @param user_id or null
-- @param conversation_id
-- @param chat_id the conversation's AI SDK chat, or null
-- @returns {turn_id, started_at, is_running: or waits for its user}, all null without a turn
create or replace function public.chat_find_newest_turn(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_turn public.turns;
begin
  perform public.chat_become_caller(argument);
  if argument ->> 'chat_id' is not null then
    v_conversation := coalesce(
      (select c.id from public.conversations c where c.chat_id = argument ->> 'chat_id'
        and c.user_id is not distinct from v_user), v_conversation);
  end if;
  select * into v_turn from public.turns t
    where t.conversation_id = v_conversation and t.user_id is not distinct from v_user
    order by t.started_at desc limit 1;
  return jsonb_build_object('turn_id', v_turn.id, 'started_at', v_turn.started_at, 'is_running',
    v_turn.status in ('running', 'waiting'));
end $$;
