-- Returns the newest messages of a path, oldest first, up to `max_chars` of text and tool calls, and at
-- least one.
-- @param parent_id the path's last message
-- @param max_chars
-- @param with_summaries since version 9, whether to return summaries, too
-- @returns [{id, role, content, path_bytes: id and bytes of the path before it since version 9, tools: a
--   reply's, as foreword.trim_tools returns them, attachments: as its metadata lists them, if it has any,
--   summary: of the path up to the message, if it is one of the 32 newest of its conversation}]
create or replace function public.chat_list_path(argument jsonb) returns jsonb
language sql stable set search_path = '' as $$
  with recursive path as (
    select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
      case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end as attachments, 1 as place,
      length(coalesce(m.content, '')) + length(coalesce(t.tools::text, '')) as chars
      from public.messages m
        cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
          then foreword.trim_tools(m.metadata) end as tools offset 0) t
      where m.id = (argument ->> 'parent_id')::uuid
    union all
    select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
      case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end, p.place + 1,
      p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
      from path p
        cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
        cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
          then foreword.trim_tools(m.metadata) end as tools offset 0) t
      where p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
        <= (argument ->> 'max_chars')::integer
        and p.place < 20000
  ), summaries as (
    select coalesce(jsonb_object_agg(newest.message_id, newest.text), '{}') as texts from (
      select s.message_id, s.text from public.context_summaries s
        where coalesce((argument ->> 'with_summaries')::boolean, false)
          and s.conversation_id = (select m.conversation_id from public.messages m
            where m.id = (argument ->> 'parent_id')::uuid)
        order by s.created_at desc limit 32) newest
  )
  select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'role', p.role,
    'content', coalesce(p.content, ''), 'path_bytes', p.path_bytes)
    || case when p.attachments is null then '{}' else jsonb_build_object('attachments', p.attachments) end
    || case when p.tools is null then '{}' else jsonb_build_object('tools', p.tools) end
    || case when s.texts ? p.id::text then jsonb_build_object('summary', s.texts -> p.id::text) else '{}' end
    order by p.place desc), '[]') from path p cross join summaries s
$$;
