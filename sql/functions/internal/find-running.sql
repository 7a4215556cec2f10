-- Finds the turns beside which a begin would run: those of its user that run or wait in the conversation that
-- its path goes to. One begin at a time asks this about a conversation, so that the second of two finds the
-- turn of the first.
-- @param argument as in chat_begin_turn
-- @returns {running: the newest one's id, turns: the ids of all, newest first}, or null
create or replace function foreword.find_running(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_chat text := argument #>> '{conversation,chat_id}';
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_turns jsonb;
begin
  if v_chat is null and not (argument #>> '{conversation,is_named}')::boolean then
    v_id := foreword.find_candidate(v_user, argument);
    if v_id is null then
      return null;
    end if;
  end if;
  perform pg_advisory_xact_lock(
    hashtextextended(format('foreword running %s %s', v_user, coalesce(v_chat, v_id::text)), 0));
  if v_chat is not null then
    v_id := public.chat_find_chat(argument);
  end if;
  select jsonb_agg(t.id order by t.started_at desc, t.id desc) into v_turns from public.turns t
    where t.conversation_id = v_id and t.user_id is not distinct from v_user
      and t.status in ('running', 'waiting') and t.id <> (argument #>> '{turn,id}')::uuid;
  return case when v_turns is not null then jsonb_build_object('running', v_turns -> 0, 'turns', v_turns) end;
end $$;
