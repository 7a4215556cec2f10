-- Saves the progress of the turns that run in one process: new text and items, and every 5 seconds a sign of
-- life.
-- @param owners [ids of the process]
-- @param running [turn ids]
-- @param pieces [{turn_id, position: bytes of the body before it, text: may be empty, items:
--   [{position, ordinal, type, data}]; absent if there are none}]; a longer piece replaces a shorter one at
--   the same position, and items may come again
-- @returns {known: turns that are stored and belong to these owners, stop: turns that have been asked to
--   stop}
create or replace function public.chat_save_progress(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_running uuid[];
  v_piece record;
begin
  perform public.chat_check_version(argument);
  -- First of all: a turn that begins meanwhile is not reported as known, because its pieces may have come too
  -- early.
  v_running := array(
    select t.id from public.turns t
    where t.id in (select value::uuid from jsonb_array_elements_text(argument -> 'running'))
      and (t.owner is null or argument -> 'owners' ? t.owner::text));
  insert into public.turn_pieces as saved (turn_id, position, text)
    select t.id, p.position, p.text
    from jsonb_to_recordset(argument -> 'pieces') as p (turn_id uuid, position integer, text text)
    join public.turns t on t.id = p.turn_id and t.status = 'running' and p.text <> ''
      and (t.owner is null or argument -> 'owners' ? t.owner::text)
    -- Waits for a turn that is ending: its pieces are deleted, and none may come after.
    order by t.id for no key update of t
    on conflict (turn_id, position) do update set text = excluded.text
      where length(excluded.text) > length(saved.text);
  for v_piece in
    select t.id, p.items
    from jsonb_to_recordset(argument -> 'pieces') as p (turn_id uuid, items jsonb)
    join public.turns t on t.id = p.turn_id and t.status = 'running' and p.items is not null
      and (t.owner is null or argument -> 'owners' ? t.owner::text)
    order by t.id for no key update of t
  loop
    perform foreword.save_items(v_piece.id, v_piece.items);
  end loop;
  update public.turns set heartbeat_at = clock_timestamp()
    where id = any (v_running) and status = 'running'
      and heartbeat_at < clock_timestamp() - interval '5 seconds';
  return jsonb_build_object('known', v_running, 'stop', (
    select coalesce(jsonb_agg(t.id), '[]') from public.turns t
    where t.id = any (v_running) and t.stop_requested and t.status = 'running'));
end $$;
