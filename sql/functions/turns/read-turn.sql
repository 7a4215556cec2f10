-- Returns a turn and its text: the final text, or, while it runs or waits, the pieces from the one that holds
-- the byte `after`.
-- @param user_id null for unowned turns
-- @param turn_id, after
-- @param after_item since version 8: {position, ordinal}, the place after which items are returned; or null
-- @param for_service returns the turn of any user
-- @returns the turn, with its items as `events`; or {missing} if it does not exist or belongs to another user
create or replace function public.chat_read_turn(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_id uuid := (argument ->> 'turn_id')::uuid;
  v_turn public.turns;
  v_is_old boolean := (argument ->> 'schema_version')::integer < 8; -- knows no items, and no turn that waits
  v_position integer := coalesce((argument #>> '{after_item,position}')::integer, -1);
  v_ordinal integer := coalesce((argument #>> '{after_item,ordinal}')::integer, 0);
begin
  perform public.chat_check_version(argument);
  if argument ->> 'user_id' is not null then
    perform public.chat_become_user(argument);
    select * into v_turn from public.turns where id = v_id and user_id = (argument ->> 'user_id')::uuid;
  elsif coalesce((argument ->> 'for_service')::boolean, false) then
    select * into v_turn from public.turns where id = v_id;
  else
    select * into v_turn from public.turns where id = v_id and user_id is null;
  end if;
  if v_turn.id is null then
    return jsonb_build_object('missing', true);
  end if;
  return jsonb_build_object(
    'conversation_id', v_turn.conversation_id, 'plan', v_turn.plan, 'answer', v_turn.answer,
    'status', case when v_is_old and v_turn.status = 'waiting' then 'running' else v_turn.status end,
    'usage', v_turn.usage, 'finish_reason', v_turn.finish_reason, 'error_code', v_turn.error_code, 'model',
      v_turn.model,
    'started_at', v_turn.started_at, 'duration_ms', v_turn.duration_ms, 'first_text_ms', v_turn.first_text_ms,
    'pieces', (
      select coalesce(jsonb_agg(jsonb_build_object('position', p.position, 'text', p.text)
        order by p.position), '[]')
      from public.turn_pieces p
      where p.turn_id = v_id and v_turn.status in ('running', 'waiting') and p.position >= coalesce((
        select max(b.position) from public.turn_pieces b
        where b.turn_id = v_id and b.position <= (argument ->> 'after')::integer), 0)
    ),
    'events', (
      select coalesce(jsonb_agg(jsonb_build_object('position', e.position, 'ordinal', e.ordinal,
        'type', e.type, 'data', e.data) order by e.position, e.ordinal), '[]')
      from public.turn_events e
      where e.turn_id = v_id and not v_is_old and (e.position, e.ordinal) > (v_position, v_ordinal)
    ));
end $$;
