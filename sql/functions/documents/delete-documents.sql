-- Deletes a document of a user, or a knowledge base with all its documents. Since version 11.
-- @param owner the user, or null
-- @param document_id, or null for a knowledge base
-- @param knowledge_base its name
-- @param max_passages about how many passages to delete at most: an embedded database does nothing else
--   meanwhile
-- @returns {found: whether there was anything to delete, more: whether to call again}
create or replace function public.chat_delete_documents(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  c_most_bytes constant bigint := 32 * 1024 * 1024; -- of originals
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_id uuid := (argument ->> 'document_id')::uuid;
  v_left integer := (argument ->> 'max_passages')::integer;
  v_bytes bigint := 0;
  v_base uuid;
  v_document record;
  v_count integer;
  v_found boolean := false;
begin
  perform public.chat_check_version(argument);
  if v_id is null then
    select b.id into v_base from public.knowledge_bases b
      where b.name = argument ->> 'knowledge_base'
        and (b.user_id = v_owner or (v_owner is null and b.user_id is null));
    if not found then
      return '{"found": false, "more": false}';
    end if;
    v_found := true;
  end if;
  for v_document in
    select d.id, d.size_bytes from public.documents d
      where (d.id = v_id or d.knowledge_base_id = v_base) and d.user_id is not distinct from v_owner
      order by d.id limit 100 for update
  loop
    v_found := true;
    delete from public.passages where (document_id, ordinal) in (
      select p.document_id, p.ordinal from public.passages p where p.document_id = v_document.id limit v_left);
    get diagnostics v_count = row_count;
    v_left := v_left - v_count;
    v_bytes := v_bytes + v_document.size_bytes;
    if v_left <= 0 then
      return '{"found": true, "more": true}';
    end if;
    delete from public.documents d where d.id = v_document.id;
    exit when v_bytes >= c_most_bytes;
  end loop;
  if v_base is not null then
    if exists (select from public.documents d where d.knowledge_base_id = v_base) then
      return '{"found": true, "more": true}';
    end if;
    delete from public.knowledge_bases b where b.id = v_base and not exists (
      select from public.documents d where d.knowledge_base_id = b.id);
  end if;
  return jsonb_build_object('found', v_found, 'more', false);
end $$;
