-- Takes a document to be read: of the knowledge base that has waited longest, so that one with many documents
-- does not hold up the others. Nothing here waits for another transaction's lock. Since version 11.
-- @param lease_id a new id
-- @param lease_ms how long the reading is left to this lease, unless it says that it goes on
-- @returns {document: null, or {id, user_id, knowledge_base_id, name, type, attempts: with this one}}
create or replace function public.chat_take_document(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_document public.documents;
begin
  perform public.chat_check_version(argument);
  -- Documents whose originals never came.
  delete from public.documents where id in (
    select d.id from public.documents d
      where d.state = 'waiting' and d.created_at < v_now - interval '1 day' and not exists (
        select from public.attachments a where a.id = d.id and a.stored_at is not null)
      order by d.created_at limit 20 for update skip locked);
  select d.* into v_document
    from public.documents d join public.knowledge_bases b on b.id = d.knowledge_base_id
    where d.state = 'waiting' and (d.lease_until is null or d.lease_until < v_now)
      and exists (select from public.attachments a where a.id = d.id and a.is_used and a.stored_at is not null)
    order by b.taken_at nulls first, d.created_at limit 1 for update of d skip locked;
  if not found then
    return '{"document": null}';
  end if;
  update public.documents d
    set lease_id = (argument ->> 'lease_id')::uuid, attempts = d.attempts + 1,
      lease_until = v_now + (argument ->> 'lease_ms')::integer * interval '1 millisecond'
    where d.id = v_document.id;
  update public.knowledge_bases set taken_at = v_now where id in (
    select b.id from public.knowledge_bases b where b.id = v_document.knowledge_base_id for update skip locked);
  return jsonb_build_object('document', jsonb_build_object('id', v_document.id, 'user_id', v_document.user_id,
    'knowledge_base_id', v_document.knowledge_base_id, 'name', v_document.name,
    'type', v_document.type, 'attempts', v_document.attempts + 1));
end $$;
