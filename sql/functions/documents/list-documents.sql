-- Returns documents of the user, newest first. Since version 11.
-- @param user_id or null
-- @param document_id of the only one wanted, or null
-- @param knowledge_base the name of the one whose documents are wanted, or null
-- @param limit
-- @param before {created_at, id} of the last document of the page before, or null
-- @returns [{id, knowledge_base, name, type, size_bytes, state, error_code, pages_read, pages, passage_count,
--   embedded_count: how many passages have a vector, since version 12, created_at}], or {missing: true} if
--   there is no such knowledge base
create or replace function public.chat_list_documents(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_name text := argument ->> 'knowledge_base';
  v_id uuid := (argument ->> 'document_id')::uuid;
  v_base uuid;
begin
  perform public.chat_become_caller(argument);
  if v_id is null then
    select b.id into v_base from public.knowledge_bases b
      where b.name = v_name and (b.user_id = v_user or (v_user is null and b.user_id is null));
    if not found then
      return '{"missing": true}';
    end if;
  end if;
  return coalesce((
    select jsonb_agg(to_jsonb(l) order by l.created_at desc, l.id desc) from (
      select d.id, b.name as knowledge_base, d.name, d.type, d.size_bytes, d.state, d.error_code, d.pages_read,
          d.pages, d.passage_count, d.embedded_count, d.created_at
        from public.documents d join public.knowledge_bases b on b.id = d.knowledge_base_id
        where (v_id is null or d.id = v_id) and (v_base is null or d.knowledge_base_id = v_base)
          and d.user_id is not distinct from v_user
          and (d.created_at, d.id) < (coalesce((argument #>> '{before,created_at}')::timestamptz, 'infinity'),
            coalesce((argument #>> '{before,id}')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        order by d.created_at desc, d.id desc limit (argument ->> 'limit')::integer) l
  ), '[]');
end $$;
