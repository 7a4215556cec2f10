-- Returns the user's knowledge bases by name, at most 1,000. Since version 11.
-- @param user_id or null
-- @returns [{name, documents, waiting, failed: how many, passages, size_bytes, created_at}]
create or replace function public.chat_list_knowledge_bases(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(to_jsonb(l) order by l.name collate "C") from (
      select b.name, count(d.id) as documents, count(d.id) filter (where d.state = 'waiting') as waiting,
          count(d.id) filter (where d.state = 'failed') as failed,
          coalesce(sum(d.passage_count), 0) as passages, coalesce(sum(d.size_bytes), 0) as size_bytes,
          b.created_at
        from public.knowledge_bases b left join public.documents d on d.knowledge_base_id = b.id
        where b.user_id = v_user or (v_user is null and b.user_id is null)
        group by b.id order by b.name collate "C" limit 1000) l
  ), '[]');
end $$;
