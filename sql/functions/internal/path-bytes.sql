-- Returns the bytes of the path that ends in a message; 0 without one. Rows of the time before paths were
-- counted are counted now, up to the first one that knows.
create or replace function foreword.path_bytes(p_message_id uuid) returns bigint
language plpgsql stable set search_path = '' as $$
declare
  v_bytes bigint;
begin
  if p_message_id is null then
    return 0;
  end if;
  select m.path_bytes + foreword.message_bytes(m.content, m.metadata) into v_bytes
    from public.messages m where m.id = p_message_id;
  if v_bytes is not null or not found then
    return coalesce(v_bytes, 0);
  end if;
  with recursive path as (
    select m.parent_id, m.path_bytes, foreword.message_bytes(m.content, m.metadata) as bytes, 1 as place
      from public.messages m where m.id = p_message_id
    union all
    select m.parent_id, m.path_bytes, foreword.message_bytes(m.content, m.metadata), p.place + 1
      from path p
        cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
      where p.path_bytes is null and p.place < 20000
  )
  select sum(p.bytes + coalesce(p.path_bytes, 0))::bigint into v_bytes from path p;
  return coalesce(v_bytes, 0);
end $$;
