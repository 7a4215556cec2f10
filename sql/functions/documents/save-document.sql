-- Adds a document to a knowledge base, which is created if need be; it waits to be read, once its original
-- is stored as the attachment of its id. A document that is there stays as it is, unless it failed: then it
-- waits to be read again. Since version 11.
-- @param owner its user, or null
-- @param knowledge_base its name
-- @param id, name, type, size_bytes of the document
-- @param max_documents, max_passages of its user; max_bytes of all attachments of its user, or null
-- @returns {is_stored: whether its original is} or {is_full: true} if its user has no room for it
create or replace function public.chat_save_document(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_id uuid := (argument ->> 'id')::uuid;
  v_base uuid;
  v_used record;
  v_bytes bigint;
begin
  perform public.chat_check_version(argument);
  update public.documents d
    set state = 'waiting', error_code = null, attempts = 0, pages_read = 0, lease_id = null, lease_until = null
    where d.id = v_id and d.state = 'failed';
  if not exists (select from public.documents d where d.id = v_id) then
    select count(*) as documents, coalesce(sum(d.passage_count), 0) as passages into v_used
      from public.knowledge_bases b join public.documents d on d.knowledge_base_id = b.id
      where b.user_id = v_owner or (v_owner is null and b.user_id is null);
    select coalesce(sum(a.size_bytes), 0) + (argument ->> 'size_bytes')::bigint into v_bytes
      from public.attachments a
      where a.id <> v_id and (a.user_id = v_owner or (v_owner is null and a.user_id is null));
    if v_used.documents >= (argument ->> 'max_documents')::integer
      or v_used.passages >= (argument ->> 'max_passages')::integer
      or v_bytes > (argument ->> 'max_bytes')::bigint
    then
      return '{"is_full": true}';
    end if;
    loop
      insert into public.knowledge_bases (user_id, name) values (v_owner, argument ->> 'knowledge_base')
        on conflict (user_id, name) do nothing;
      select b.id into v_base from public.knowledge_bases b
        where b.name = argument ->> 'knowledge_base'
          and (b.user_id = v_owner or (v_owner is null and b.user_id is null)) for key share;
      exit when found; -- it may be deleted meanwhile
    end loop;
    insert into public.documents (id, user_id, knowledge_base_id, name, type, size_bytes)
      values (v_id, v_owner, v_base, argument ->> 'name', argument ->> 'type',
        (argument ->> 'size_bytes')::bigint)
      on conflict (id) do nothing;
  end if;
  update public.attachments a set is_used = true where a.id = v_id and a.stored_at is not null and not a.is_used;
  return jsonb_build_object('is_stored', exists (
    select from public.attachments a where a.id = v_id and a.stored_at is not null));
end $$;
