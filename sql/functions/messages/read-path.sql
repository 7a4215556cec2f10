-- Returns the path that ends in a message, for a turn that continues from there: the newest messages, oldest
-- first, up to `max_chars` of text and at least one.
-- @param user_id or null
-- @param conversation_id or null, if `parent_id` is given; chat_id or null
-- @param parent_id a message's id; null for the leaf; or a turn's: its reply or, since version 10, if it has
--   none, the message that it answered
-- @param max_chars
-- @param with_summaries since version 9, as in chat_list_path
-- @returns {conversation_id, digest: of the path, or null for an empty one, parent_digest: of the path
--   without its last message, or null, messages: as chat_list_path returns them};
--   or {missing}; or {running: the turn whose reply is `parent_id`}
create or replace function public.chat_read_path(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_conversation public.conversations;
  v_parent public.messages;
  v_turn public.turns;
  v_id uuid;
  v_summaries jsonb := '{}'; -- by the last message that each covers
begin
  perform public.chat_become_caller(argument);
  if argument ->> 'chat_id' is not null then
    select c.id into v_id from public.conversations c where c.chat_id = argument ->> 'chat_id'
      and c.user_id is not distinct from v_user;
  end if;
  if argument ->> 'parent_id' is not null then
    select * into v_parent from public.messages m where m.id = (argument ->> 'parent_id')::uuid;
    if v_parent.id is null then
      select * into v_turn from public.turns t where t.id = (argument ->> 'parent_id')::uuid
        and t.user_id is not distinct from v_user;
      select * into v_parent from public.messages m
        where m.id = coalesce(v_turn.message_id, v_turn.parent_id);
    else
      select * into v_turn from public.turns t where t.id = v_parent.id
        and t.user_id is not distinct from v_user;
    end if;
    if v_turn.status in ('running', 'waiting') then
      return jsonb_build_object('running', v_turn.id);
    end if;
  end if;
  select * into v_conversation from public.conversations c
    where c.id = coalesce(v_id, (argument ->> 'conversation_id')::uuid, v_parent.conversation_id)
      and c.user_id is not distinct from v_user;
  if argument ->> 'parent_id' is null then
    select * into v_parent from public.messages m where m.id = v_conversation.leaf_id
      and m.conversation_id = v_conversation.id;
  elsif v_parent.conversation_id is distinct from v_conversation.id then
    return jsonb_build_object('missing', true);
  end if;
  -- Rows of the old service have no digest until their conversation is used.
  if v_conversation.id is null or (v_parent.id is not null and v_parent.digest is null) then
    return jsonb_build_object('missing', true);
  end if;
  if (argument ->> 'with_summaries')::boolean then
    select coalesce(jsonb_object_agg(s.message_id, s.text), '{}') into v_summaries from (
      select message_id, text from public.context_summaries where conversation_id = v_conversation.id
        order by created_at desc limit 32) s;
  end if;
  -- As in chat_list_path, which users may not call.
  return jsonb_build_object('conversation_id', v_conversation.id, 'digest', encode(v_parent.digest, 'hex'),
    'parent_digest', (select encode(p.digest, 'hex') from public.messages p where p.id = v_parent.parent_id),
    'messages', coalesce((
    with recursive path as (
      select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
        case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end as attachments, 1 as place,
        length(coalesce(m.content, '')) + length(coalesce(t.tools::text, '')) as chars
        from (select id, parent_id, role, metadata, path_bytes, case when octet_length(content) > 4194304
          then left(content, 1048576) else content end as content
          from public.messages where id = v_parent.id) m
          cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
            then foreword.trim_tools(m.metadata) end as tools offset 0) t
      union all
      select m.id, m.parent_id, m.role, m.content, m.path_bytes, t.tools,
        case when pg_column_size(m.metadata) < 65536 then m.metadata -> 'attachments' end, p.place + 1,
        p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
        from path p
          cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
          cross join lateral (select case when m.role = 'assistant' and m.metadata ? 'tools'
            and octet_length(m.content) <= 4 * (argument ->> 'max_chars')::bigint
            then foreword.trim_tools(m.metadata) end as tools offset 0) t
        where case when octet_length(m.content) > 4 * (argument ->> 'max_chars')::bigint then false
            else p.chars + length(coalesce(m.content, '')) + length(coalesce(t.tools::text, ''))
              <= (argument ->> 'max_chars')::integer and p.place < 20000 end
    )
    select jsonb_agg(jsonb_build_object('id', p.id, 'role', p.role,
      'content', coalesce(p.content, ''), 'path_bytes', p.path_bytes)
      || case when p.attachments is null then '{}' else jsonb_build_object('attachments', p.attachments) end
      || case when p.tools is null then '{}' else jsonb_build_object('tools', p.tools) end
      || case when v_summaries ? p.id::text then jsonb_build_object('summary', v_summaries -> p.id::text)
        else '{}' end
      order by p.place desc) from path p
    -- Users may make a circle of their rows: each row is listed once.
    where p.place < coalesce((
      select min(r.place)
        from (select w.place, row_number() over (partition by w.id order by w.place) as nth from path w) r
        where r.nth = 2), 2147483647)
  ), '[]'));
end $$;
