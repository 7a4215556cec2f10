-- Returns the user's conversations, newest first.
-- @param user_id or null
-- @param limit
-- @param before {updated_at, id} of the last conversation of the page before, or null
-- @param is_archived whether to list archived conversations, or the others
-- @param query words that must all occur in a title, or in one message; or null
-- @param match, likely as in chat_search_conversations, if there is a `query`
create or replace function public.chat_list_conversations(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_limit integer := (argument ->> 'limit')::integer;
  v_before_at timestamptz := coalesce((argument #>> '{before,updated_at}')::timestamptz, 'infinity');
  v_before_id uuid := coalesce((argument #>> '{before,id}')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_found uuid[];
  v_answer jsonb;
begin
  if argument ->> 'query' is not null then
    v_found := public.chat_search_conversations(argument);
  end if;
  perform public.chat_become_caller(argument);
  execute format($f$
    select coalesce(jsonb_agg(to_jsonb(c) order by c.updated_at desc, c.id desc), '[]')
    from (
      select id, left(title, 1000) as title, leaf_id, archived_at, created_at, updated_at,
        case when pg_column_size(metadata) > 65536 or octet_length(metadata::text) > 65536
          then '{"is_cut": true}'::jsonb else metadata end as metadata
      from public.conversations
      where %s and archived_at is %s and (updated_at, id) < ($1, $2) %s
      order by updated_at desc, id desc limit $3
    ) c $f$,
    case when v_user is null then 'user_id is null' else 'user_id = $4' end,
    case when (argument ->> 'is_archived')::boolean then 'not null' else 'null' end,
    case when argument ->> 'query' is null then '' else 'and id = any ($5)' end)
    into v_answer using v_before_at, v_before_id, v_limit, v_user, v_found;
  return v_answer;
end $$;
