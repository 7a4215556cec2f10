-- Returns the newest messages of a path, oldest first, up to `max_chars` of text and at least one.
-- @param parent_id the path's last message
-- @param max_chars
-- @returns [{role, content}]
create or replace function public.chat_list_path(argument jsonb) returns jsonb
language sql stable set search_path = '' as $$
  with recursive path as (
    select m.id, m.parent_id, m.role, m.content, 1 as place, length(coalesce(m.content, '')) as chars
      from public.messages m where m.id = (argument ->> 'parent_id')::uuid
    union all
    select m.id, m.parent_id, m.role, m.content, p.place + 1, p.chars + length(coalesce(m.content, ''))
      from path p
        cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
      where p.chars + length(coalesce(m.content, '')) <= (argument ->> 'max_chars')::integer
        and p.place < 20000
  )
  select coalesce(jsonb_agg(jsonb_build_object('role', p.role, 'content', coalesce(p.content, ''))
    order by p.place desc), '[]') from path p
$$;
