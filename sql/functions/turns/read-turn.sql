-- Returns a turn and its text: the final text, or, while it runs or waits, the pieces from the one that holds
-- the byte `after`.
-- @param user_id null for unowned turns
-- @param turn_id, after
-- @param after_item {position, ordinal}, the place after which items are returned; or null
-- @param for_service returns the turn of any user
-- @returns the turn, with its items as `events`, and if `after` is 0 the message of a reply that it goes on
--   with as `extends`: {id: of the reply's first message, content, plan, tools}; or {missing} if it does not
--   exist or belongs to another user
create or replace function public.chat_read_turn(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_id uuid := (argument ->> 'turn_id')::uuid;
  v_turn public.turns;
  v_position integer := coalesce((argument #>> '{after_item,position}')::integer, -1);
  v_ordinal integer := coalesce((argument #>> '{after_item,ordinal}')::integer, 0);
  v_extends jsonb;
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
  if (argument ->> 'after')::integer = 0 then
    -- The message has the turn's id, and supersedes those of the turns before it.
    with recursive chain as (
      select m.id, 0 as depth from public.messages m
        where m.id = v_id and m.parent_id = v_turn.parent_id and m.metadata ? 'tools'
      union all
      select e.id, c.depth + 1 from chain c join public.messages e
        on e.conversation_id = v_turn.conversation_id and e.parent_id = v_turn.parent_id
          and e.metadata ->> 'superseded_by' = c.id::text
        where c.depth < 100 and exists (select from public.turns t where t.id = e.id)
    )
    select jsonb_build_object('id', c.id, 'content', m.content, 'plan', m.metadata -> 'plan',
        'tools', m.metadata -> 'tools') into v_extends
      from chain c join public.messages m on m.id = v_id
      -- Several attempts may have gone on with one reply.
      join public.messages e on e.id = c.id
      where c.depth > 0 order by c.depth desc, e.created_at limit 1;
  end if;
  return jsonb_build_object(
    'extends', v_extends, 'conversation_id', v_turn.conversation_id, 'plan', v_turn.plan, 'answer', v_turn.answer,
    'status', v_turn.status, 'usage', v_turn.usage, 'finish_reason', v_turn.finish_reason,
    'error_code', v_turn.error_code, 'model', v_turn.model, 'attempts', v_turn.attempts, 'context', v_turn.context,
    'request', v_turn.request,
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
      where e.turn_id = v_id and (e.position, e.ordinal) > (v_position, v_ordinal)
    ));
end $$;
