-- Lets a running turn wait for its user: stores its text and items so far, and the state from which a server
-- goes on. Repeating the same pause is harmless.
-- @param turn {id, usage: so far, or null}
-- @param owners optional: the ids of the process that runs the turn
-- @param text the body so far; items as in chat_end_turn, with reasoning
-- @param pause {state, expires_at}
-- @param age_ms how long the pause has waited, if it has
-- @returns {conversation_id, is_changed}; {stop} if the turn has been asked to stop: it runs on, unless the
--   pause has waited; or {gone} if the conversation was deleted meanwhile
create or replace function public.chat_pause_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_turn public.turns;
begin
  perform public.chat_check_version(argument);
  select * into v_turn from public.turns where id = (argument #>> '{turn,id}')::uuid for update;
  if v_turn.id is null then
    return jsonb_build_object('gone', true);
  end if;
  -- A pause that comes again after its turn was claimed is older than an item of the turn.
  if v_turn.status <> 'running'
    or (not coalesce(argument -> 'owners' ? v_turn.owner::text, true) and exists (
      select from public.turn_waits w where w.turn_id = v_turn.id and w.claim is not null))
    or exists (select from public.turn_events e where e.turn_id = v_turn.id and e.type <> 'reasoning-delta'
      and (e.position, e.ordinal) > (
        select i.position, i.ordinal
          from jsonb_to_recordset(coalesce(argument -> 'items', '[]')) as i (position integer, ordinal integer)
          order by i.position desc, i.ordinal desc limit 1))
  then
    return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', false);
  end if;
  if v_turn.stop_requested and argument -> 'age_ms' is null then
    return jsonb_build_object('stop', true);
  end if;
  delete from public.turn_pieces where turn_id = v_turn.id;
  if argument ->> 'text' <> '' then
    insert into public.turn_pieces (turn_id, position, text) values (v_turn.id, 0, argument ->> 'text');
  end if;
  perform foreword.save_items(v_turn.id, argument -> 'items');
  update public.turns set status = 'waiting', usage = coalesce(nullif(argument #> '{turn,usage}', 'null'), usage)
    where id = v_turn.id;
  insert into public.turn_waits as w (turn_id, state, expires_at, subject)
    values (v_turn.id, argument #> '{pause,state}',
      case when v_turn.stop_requested then '-infinity'
        else (argument #>> '{pause,expires_at}')::timestamptz end, v_turn.subject)
    on conflict (turn_id) do update set state = excluded.state, expires_at = excluded.expires_at,
      subject = excluded.subject, claim = null;
  return jsonb_build_object('conversation_id', v_turn.conversation_id, 'is_changed', true);
end $$;
