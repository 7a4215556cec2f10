-- Returns the messages of a conversation, oldest first: the path to its leaf, or all of them. Text of more
-- than 4 MiB, and metadata of more than 256 KiB (6 MiB with tool calls), which no server writes, are cut.
-- @param user_id or null
-- @param conversation_id
-- @param is_tree whether to return all messages, not only the path
-- @param turn_id in place of the conversation, since version 10: the path that ends in the message which this
--   turn of the user answers
-- @param limit or null
-- @param before a message's id: only messages before it
-- @param after with `is_tree`, a message's id or null: only messages after it, the oldest of them
-- @param ids these messages, in this order, in place of a page
-- @param max_bytes how many bytes the messages may hold, at least one message; null returns them all
-- @param only_ids with `max_bytes`: returns ids in the order in which they were found
-- @returns {messages or ids, more: whether there are others before (after) them}; without `max_bytes` a list
create or replace function public.chat_list_messages(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_limit integer := (argument ->> 'limit')::integer;
  v_max_bytes bigint := (argument ->> 'max_bytes')::bigint;
  v_is_bounded boolean := argument ->> 'max_bytes' is not null;
  v_is_found boolean := coalesce(jsonb_typeof(argument -> 'ids') = 'array', false);
  v_is_tree boolean := coalesce((argument ->> 'is_tree')::boolean, false);
  v_is_ascending boolean := v_is_found or argument ? 'after';
  v_edge public.messages; -- where the page begins
  v_item public.messages; -- the message below it
  v_next uuid;
  v_is_sound boolean := false; -- whether the path is known to end
  v_ids uuid[] := '{}';
  v_kept integer := 0;
  v_size bigint;
  v_more boolean := false;
  v_nothing jsonb := case when not v_is_bounded then '[]' when (argument ->> 'only_ids')::boolean
    then '{"ids": [], "more": false}'
    else '{"messages": [], "more": false}' end;
  v_messages jsonb;
begin
  perform public.chat_become_caller(argument);
  if argument ->> 'turn_id' is not null then
    select t.conversation_id, t.parent_id into v_conversation, v_next from public.turns t
      where t.id = (argument ->> 'turn_id')::uuid and t.user_id is not distinct from v_user;
  else
    select c.leaf_id into v_next from public.conversations c where c.id = v_conversation
      and c.user_id is not distinct from v_user;
  end if;
  if not found then
    return v_nothing;
  end if;
  if coalesce(argument ->> 'before', argument ->> 'after') is not null and not v_is_found then
    select * into v_edge from public.messages m
      where m.id = coalesce(argument ->> 'before', argument ->> 'after')::uuid
        and m.conversation_id = v_conversation;
    if v_edge.id is null then
      return v_nothing;
    end if;
    v_next := v_edge.parent_id;
  end if;

  if v_is_found then
    v_ids := array(select value::uuid from jsonb_array_elements_text(argument -> 'ids'));
  elsif v_is_tree and v_is_ascending then
    v_ids := array(
      select m.id from public.messages m
      where m.conversation_id = v_conversation
        and (v_edge.id is null or (m.created_at, m.id) > (v_edge.created_at, v_edge.id))
      order by m.created_at, m.id limit v_limit + 1);
  elsif v_is_tree then
    v_ids := array(
      select m.id from public.messages m
      where m.conversation_id = v_conversation
        and (v_edge.id is null or (m.created_at, m.id) < (v_edge.created_at, v_edge.id))
      order by m.created_at desc, m.id desc limit v_limit + 1);
  else
    v_item := v_edge;
    while v_next is not null and (v_limit is null or cardinality(v_ids) <= v_limit) loop
      select * into v_edge from public.messages m where m.id = v_next;
      exit when v_edge.id is null or v_edge.conversation_id <> v_conversation;
      -- Users may make a circle of their rows, in which some message is below one that is not older. The path
      -- ends there, unless the rows above it end.
      if v_item.id is not null and not v_is_sound
        and (v_edge.created_at, v_edge.id) >= (v_item.created_at, v_item.id) then
        with recursive path as (
          select v_edge.id as id, v_edge.parent_id as parent_id
          union
          select m.id, m.parent_id from path p
            cross join lateral (select * from public.messages message where message.id = p.parent_id limit 1) m
        ), walked as (select id, parent_id from path limit 100000)
        select count(*) < 100000 and bool_or(above.id is null) into v_is_sound
          from walked w left join walked above on above.id = w.parent_id;
        exit when not v_is_sound;
      end if;
      v_ids := v_ids || v_next;
      v_item := v_edge;
      v_next := v_edge.parent_id;
    end loop;
  end if;
  if cardinality(v_ids) > v_limit then
    v_more := true;
    v_ids := v_ids[1:v_limit];
  end if;
  if v_is_bounded and coalesce((argument ->> 'only_ids')::boolean, false) then
    return jsonb_build_object('ids', v_ids, 'more', v_more);
  end if;

  if v_is_bounded then
    foreach v_next in array v_ids loop
      select least(octet_length(coalesce(m.content, '')), 4194304)
          + case when pg_column_size(m.metadata) > 6291456 then 0
            else coalesce(octet_length(m.metadata::text), 0) end
        into v_size from public.messages m where m.id = v_next;
      exit when v_kept > 0 and v_size > v_max_bytes;
      v_max_bytes := v_max_bytes - coalesce(v_size, 0);
      v_kept := v_kept + 1;
    end loop;
    v_more := v_more or v_kept < cardinality(v_ids);
    v_ids := v_ids[1:v_kept];
  end if;
  v_messages := coalesce((
    select jsonb_agg(jsonb_build_object(
      'id', m.id, 'parent_id', m.parent_id, 'role', m.role,
      'content', case when octet_length(m.content) > 4194304 then left(m.content, 1048576) else m.content end,
      'metadata', case when pg_column_size(m.metadata) > 6291456
        or octet_length((m.metadata -> 'tools')::text) > 6291456
        or octet_length((case jsonb_typeof(m.metadata) when 'object' then m.metadata - 'tools'
          else m.metadata end)::text) > 262144
        then '{"is_cut": true}'::jsonb else m.metadata end,
      'status', m.status, 'created_at', m.created_at) order by case when v_is_ascending then l.place
        else - l.place end)
    from unnest(v_ids) with ordinality as l (id, place)
    cross join lateral (select * from public.messages message where message.id = l.id limit 1) m
    where m.conversation_id = v_conversation
  ), '[]');
  return case when v_is_bounded then jsonb_build_object('messages', v_messages, 'more', v_more)
    else v_messages end;
end $$;
