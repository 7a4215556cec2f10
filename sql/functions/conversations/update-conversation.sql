-- Changes the given fields of one of the user's conversations.
-- @param user_id or null
-- @param conversation_id
-- @param changes {title, metadata, is_archived, leaf_id: one of its messages}
-- @returns the conversation; or {missing}; or {missing_leaf} if it has no such message
create or replace function public.chat_update_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_changes jsonb := argument -> 'changes';
  v_changed jsonb;
begin
  perform public.chat_become_caller(argument);
  if v_changes ? 'leaf_id' and not exists (
    select from public.messages m where m.id = (v_changes ->> 'leaf_id')::uuid
      and m.conversation_id = (argument ->> 'conversation_id')::uuid
  ) then
    return case when exists (select from public.conversations c
        where c.id = (argument ->> 'conversation_id')::uuid
          and c.user_id is not distinct from (argument ->> 'user_id')::uuid)
      then '{"missing_leaf": true}'::jsonb else '{"missing": true}' end;
  end if;
  -- The row level security of the update sees only messages that were stored before the statement began: it
  -- would refuse the leaf of a turn that ends meanwhile.
  perform from public.conversations c where c.id = (argument ->> 'conversation_id')::uuid for update;
  update public.conversations c set
    title = coalesce(v_changes ->> 'title', c.title),
    titled_by = case when v_changes ->> 'title' is null then c.titled_by else 'person' end,
    metadata = coalesce(v_changes -> 'metadata', c.metadata),
    leaf_id = coalesce((v_changes ->> 'leaf_id')::uuid, c.leaf_id),
    archived_at = case (v_changes ->> 'is_archived')::boolean
      when true then coalesce(c.archived_at, clock_timestamp()) when false then null else c.archived_at end
    where c.id = (argument ->> 'conversation_id')::uuid
      and c.user_id is not distinct from (argument ->> 'user_id')::uuid
    returning (select to_jsonb(s) from (
        select c.id, left(c.title, 1000) as title, c.user_id, c.created_at,
          case when pg_column_size(c.metadata) > 65536 or octet_length(c.metadata::text) > 65536
          then '{"is_cut": true}'::jsonb else c.metadata end as metadata,
          c.leaf_id, c.archived_at, c.updated_at) s) into v_changed;
  return coalesce(v_changed, '{"missing": true}');
end $$;
