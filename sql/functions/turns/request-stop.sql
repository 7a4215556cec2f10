-- Asks for a turn to be stopped, or for all of a conversation that run or wait: their owners hear of it with
-- their next progress. A waiting turn has no owner: it is due to be claimed at once.
-- @param user_id or null
-- @param turn_id; or conversation_id and chat_id (or null)
-- @returns {found: whether the user has such a turn, turns: for a conversation, their ids, newest first}
create or replace function public.chat_request_stop(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_conversation uuid := coalesce(
    (select c.id from public.conversations c where c.chat_id = argument ->> 'chat_id'
      and c.user_id is not distinct from v_user),
    (argument ->> 'conversation_id')::uuid);
  v_turns jsonb;
begin
  perform public.chat_check_version(argument);
  if v_conversation is not null then
    with stopped as (
      update public.turns set stop_requested = true
        where conversation_id = v_conversation and status in ('running', 'waiting')
          and user_id is not distinct from v_user
          returning id, started_at)
    select coalesce(jsonb_agg(id order by started_at desc), '[]') into v_turns from stopped;
    update public.turn_waits set expires_at = least(expires_at, clock_timestamp())
      where turn_id in (select value::uuid from jsonb_array_elements_text(v_turns));
    return jsonb_build_object('found', v_turns <> '[]', 'turns', v_turns);
  end if;
  update public.turns set stop_requested = true
    where id = (argument ->> 'turn_id')::uuid and user_id is not distinct from v_user
    returning jsonb_build_array(id) into v_turns;
  update public.turn_waits set expires_at = least(expires_at, clock_timestamp())
    where turn_id = (v_turns ->> 0)::uuid;
  return jsonb_build_object('found', v_turns is not null);
end $$;
