-- Takes passages to be embedded: of a document that has been read, of the knowledge base that has waited
-- longest. It looks at 500 knowledge bases with documents that have never been embedded, however many each
-- has, and at 500 other documents. A document with vectors of another model loses them one by one, as those
-- of this model come; not while that model may be at work, as it is when servers are replaced one after the
-- other.
-- Since version 12.
-- @param model with its width, or null only to find out whether vectors can be stored
-- @param lease_id a new id
-- @param lease_ms how long the document is left to this lease
-- @param settled_ms how long ago another model's last vector must have come
-- @param limit of passages
-- @returns {is_available: whether vectors can be stored, document: null, or {id, passage_count, passages:
--   [{ordinal, heading, text}]}}
create or replace function public.chat_take_unembedded(argument jsonb) returns jsonb
language plpgsql set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_now timestamptz := clock_timestamp();
  v_model text := argument ->> 'model';
  v_settled timestamptz := v_now - (argument ->> 'settled_ms')::integer * interval '1 millisecond';
  v_document public.documents;
  v_first integer;
begin
  perform public.chat_check_version(argument);
  if foreword.vector_schema() is null then
    return '{"is_available": false, "document": null}';
  end if;
  with recursive bases as (
    -- One step of the index for each.
    (select c.knowledge_base_id as id from public.documents c
      where c.state = 'ready' and c.embedding_model is null order by c.knowledge_base_id limit 1)
    union all
    select n.id from bases b, lateral (
      select c.knowledge_base_id as id from public.documents c
        where c.state = 'ready' and c.embedding_model is null and c.knowledge_base_id > b.id
        order by c.knowledge_base_id limit 1) n
  )
  select d.* into v_document
    from (
      -- Some of each, since other servers may be taking the first ones.
      (select n.id from (select b.id from bases b limit 500) b, lateral (
        select c.id from public.documents c
          where c.state = 'ready' and c.embedding_model is null and c.knowledge_base_id = b.id
          order by c.created_at limit 3) n)
      union all
      -- Each alternative is a range of the index.
      (select c.id from public.documents c
        where c.state = 'ready' and (c.embedding_lease_until is null or c.embedding_lease_until < v_now)
          and ((c.embedding_model = v_model and c.passage_count - c.embedded_count > 0)
            or (c.embedding_model < v_model and c.embedded_at < v_settled)
            or (c.embedding_model > v_model and c.embedded_at < v_settled))
        limit 500)) w
      join public.documents d on d.id = w.id join public.knowledge_bases b on b.id = d.knowledge_base_id
    where d.embedding_lease_until is null or d.embedding_lease_until < v_now
    order by b.embedded_at nulls first, d.created_at limit 1 for update of d skip locked;
  if not found or v_model is null then
    return '{"is_available": true, "document": null}';
  end if;
  v_first := case when v_document.embedding_model = v_model then v_document.embedded_count else 0 end;
  update public.documents d
    set embedding_model = v_model, embedded_count = v_first, embedding_lease_id = (argument ->> 'lease_id')::uuid,
      embedded_at = v_now,
      embedding_lease_until = v_now + (argument ->> 'lease_ms')::integer * interval '1 millisecond'
    where d.id = v_document.id;
  update public.knowledge_bases set embedded_at = v_now where id in (
    select b.id from public.knowledge_bases b where b.id = v_document.knowledge_base_id for update skip locked);
  return jsonb_build_object('is_available', true, 'document', jsonb_build_object('id', v_document.id,
    'passage_count', v_document.passage_count,
    'passages', (
      select coalesce(jsonb_agg(to_jsonb(l) order by l.ordinal), '[]') from (
        select p.ordinal, p.heading, p.text from public.passages p
          where p.document_id = v_document.id and p.ordinal >= v_first
          order by p.ordinal limit (argument ->> 'limit')::integer) l)));
end $$;
