-- Returns one of the user's conversations, or {missing}.
-- @param user_id or null
-- @param conversation_id
create or replace function public.chat_get_conversation(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select to_jsonb(s) from (
        select c.id, left(c.title, 1000) as title, c.user_id, c.created_at,
          case when pg_column_size(c.metadata) > 65536 or octet_length(c.metadata::text) > 65536
          then '{"is_cut": true}'::jsonb else c.metadata end as metadata,
          c.leaf_id, c.archived_at, c.updated_at from public.conversations c
    where c.id = (argument ->> 'conversation_id')::uuid
      and c.user_id is not distinct from (argument ->> 'user_id')::uuid) s
  ), '{"missing": true}');
end $$;
