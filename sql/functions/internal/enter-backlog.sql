-- Enters some texts of the backlog, to be handed out from then on. One server at a time does this.
-- @returns whether the backlog may have more
create or replace function foreword.enter_backlog() returns boolean
language plpgsql set search_path = '' as $$
declare
  c_batch constant integer := 500;
  v_kind record;
  v_ids uuid[];
  v_count integer;
begin
  select b.kind as name, b.last_id as place, case b.kind when 'message' then 'public.messages'
    else 'public.conversations' end as source,
      case b.kind when 'message' then 'conversation_id' else 'id' end as conversation
    into v_kind from public.word_backlog b order by b.kind desc limit 1 for update skip locked;
  if v_kind.name is null then
    return false;
  end if;
  execute format('select array(select s.id from %s s where s.id >= $1 order by s.id limit $2)', v_kind.source)
    into v_ids using v_kind.place, c_batch;
  -- Rows that are being deleted are skipped now, and looked at again.
  execute format($f$
    with free as (
      select s.id, s.%3$I as conversation_id from %2$s s where s.id = any ($1) for key share skip locked
    ), entered as (
      insert into public.%1$s_words (id, conversation_id, not_before) select f.id, f.conversation_id,
        clock_timestamp() from free f
        -- Otherwise the insert would wait for rows that another server has just taken.
        where not exists (select from public.%1$s_words w where w.id = f.id)
        on conflict (id) do nothing
    )
    select count(*) from free $f$, v_kind.name, v_kind.source, v_kind.conversation)
    into v_count using v_ids;
  if v_count = cardinality(v_ids) then
    if v_count < c_batch then
      delete from public.word_backlog b where b.kind = v_kind.name;
    else
      update public.word_backlog b set last_id = v_ids[v_count] where b.kind = v_kind.name;
    end if;
  end if;
  return v_count = cardinality(v_ids);
end $$;
