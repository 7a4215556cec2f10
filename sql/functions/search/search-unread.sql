-- Returns conversations whose newest messages contain the searched words and have not been read by a server
-- yet: a server of version 6 does not wait for that.
-- @param user_id or null
-- @param query
create or replace function public.chat_search_unread(argument jsonb) returns uuid[]
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_words text[] := array(select word
    from regexp_split_to_table(lower(left(argument ->> 'query', 200)), '[ "]+') as word
    where word !~ '^(-.*|or)?$');
  v_found uuid[];
begin
  if cardinality(v_words) = 0 then
    return '{}';
  end if;
  execute format($f$
    select coalesce(array_agg(distinct m.conversation_id), '{}')
    from (select id from public.conversations where %s order by updated_at desc, id desc limit 20) c
      cross join lateral (
        select n.id, n.conversation_id, lower(left(n.content, 20000)) as content from public.messages n
        where n.conversation_id = c.id order by n.created_at desc limit 20
      ) m
    where not exists (select from public.message_words w where w.id = m.id and w.words is not null)
      and (select bool_and(strpos(m.content, word) > 0) from unnest($2) word) $f$,
    case when v_user is null then 'user_id is null and $1 is null' else 'user_id = $1' end)
    into v_found using v_user, v_words;
  return v_found;
end $$;
