-- Stores items of a turn. One that is stored already stays, but a piece of reasoning that holds more of the
-- text before its end replaces it. The items of a turn hold at most 1 MiB as JSON, and its reasoning half of
-- that: more is left out, reasoning first. Servers stop before that.
-- @param p_items [{position, ordinal, type, data}]
create or replace function foreword.save_items(p_turn_id uuid, p_items jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  if p_items is null or jsonb_typeof(p_items) <> 'array' or p_items = '[]' then
    return;
  end if;
  insert into public.turn_events as saved (turn_id, position, ordinal, type, data)
    select p_turn_id, n.position, n.ordinal, n.type, n.data
    from (
      select i.*, sum(octet_length(i.data::text)) over (
          order by i.type = 'reasoning-delta', i.position, i.ordinal) as total
      from (
        -- The longest of those at one place: reasoning may be sent again with more before it.
        select distinct on (r.position, r.ordinal) r.* from jsonb_to_recordset(p_items)
          as r (position integer, ordinal integer, type text, data jsonb)
          order by r.position, r.ordinal, octet_length(r.data ->> 'text') desc nulls last
      ) i
      where not exists (select from public.turn_events e
        where e.turn_id = p_turn_id and e.position = i.position and e.ordinal = i.ordinal
          and (i.type <> 'reasoning-delta'
            or octet_length(e.data ->> 'text') >= octet_length(i.data ->> 'text')))
    ) n
    where n.total + (select coalesce(sum(e.bytes), 0) from public.turn_events e where e.turn_id = p_turn_id)
      <= case when n.type = 'reasoning-delta' then 524288 else 1048576 end
    on conflict (turn_id, position, ordinal) do update set type = excluded.type, data = excluded.data;
end $$;
