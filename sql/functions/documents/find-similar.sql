-- Returns the passages of a knowledge base whose vectors are nearest to a question's, by the distances to all
-- of them. It runs as the service, and reads one knowledge base. Since version 12.
-- @param owner the user, or null
-- @param knowledge_base its name
-- @param model as in chat_take_unembedded
-- @param vector the question's, of length 1, as a text
-- @param limit
-- @param others [{document_id, ordinal}] of passages that are returned as well, if they have a vector
-- @returns {is_available: whether vectors can be stored, passages: [{document_id, document_name, ordinal,
--   page, heading, text, similarity: the cosine}], the nearest first; those of `others` without a text}
create or replace function public.chat_find_similar(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_schema text := foreword.vector_schema();
  v_base uuid;
  v_found jsonb;
begin
  perform public.chat_check_version(argument);
  if v_schema is null then
    return '{"is_available": false, "passages": []}';
  end if;
  select b.id into v_base from public.knowledge_bases b
    where b.name = argument ->> 'knowledge_base'
      and (b.user_id = v_owner or (v_owner is null and b.user_id is null));
  execute format($sql$
    with near as materialized (
      select v.document_id, v.ordinal, v.vector operator(%1$I.<#>) %2$L::%1$I.vector as distance
        from public.passage_vectors v where v.knowledge_base_id = $1 and v.model = $2
        order by distance limit $3
    ), others as materialized (
      select v.document_id, v.ordinal, v.vector operator(%1$I.<#>) %2$L::%1$I.vector as distance
        from jsonb_to_recordset($4) as o (document_id uuid, ordinal integer)
          cross join lateral (select * from public.passage_vectors f
            where f.document_id = o.document_id and f.ordinal = o.ordinal limit 1) v
        where v.knowledge_base_id = $1 and v.model = $2
    ), found as (
      select n.*, p.page, p.heading, p.text, d.name from near n
          -- With a limit the planner looks each up, and does not read all passages.
          cross join lateral (select * from public.passages f
            where f.document_id = n.document_id and f.ordinal = n.ordinal limit 1) p
          cross join lateral (select * from public.documents f where f.id = n.document_id limit 1) d
        where not exists (select from others o where (o.document_id, o.ordinal) = (n.document_id, n.ordinal))
      union all
      select o.*, null, null, null, null from others o
    )
    select coalesce(jsonb_agg(jsonb_build_object('document_id', f.document_id, 'document_name', f.name,
        'ordinal', f.ordinal, 'page', f.page, 'heading', f.heading, 'text', f.text, 'similarity', -f.distance)
        order by f.distance, f.document_id, f.ordinal), '[]') from found f
    $sql$, v_schema, argument ->> 'vector')
    into v_found
    using v_base, argument ->> 'model', (argument ->> 'limit')::integer, coalesce(argument -> 'others', '[]');
  return jsonb_build_object('is_available', true, 'passages', v_found);
end $$;
