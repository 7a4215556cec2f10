-- Returns the passages of a knowledge base that hold the rarest of the given words. It runs as the service,
-- and the knowledge base is part of each word: behind row level security, word comparisons could not use an
-- index. A word that more than one in twenty of many passages holds says little: only some are looked at, and
-- it counts as if half of them held it.
-- Since version 11.
-- @param owner the user, or null
-- @param knowledge_base its name
-- @param words
-- @param limit
-- @returns {passage_count, word_count of the knowledge base, frequencies: in how many passages each word is,
--   passages: [{document_id, document_name, ordinal, page, heading, text}], the best first}, or
--   {missing: true} if there is no such knowledge base
create or replace function public.chat_find_passages(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off
  set plan_cache_mode = force_custom_plan as $$
declare
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_base uuid;
  v_count bigint;
  v_words bigint;
  v_most integer;
  v_found jsonb;
begin
  perform public.chat_check_version(argument);
  select b.id into v_base from public.knowledge_bases b
    where b.name = argument ->> 'knowledge_base'
      and (b.user_id = v_owner or (v_owner is null and b.user_id is null));
  if not found then
    return '{"missing": true}';
  end if;
  select coalesce(sum(d.passage_count), 0), coalesce(sum(d.word_count), 0) into v_count, v_words
    from public.documents d where d.knowledge_base_id = v_base;
  v_most := greatest(300, v_count / 20);
  with asked as materialized (
    select a.number, quote_literal(left(v_base::text, 8) || a.word)::tsquery as query
      from jsonb_array_elements_text(argument -> 'words') with ordinality as a (word, number)
  ), hits as materialized (
    select a.number, p.document_id, p.ordinal from asked a cross join lateral (
      select p.document_id, p.ordinal from public.passages p
        where p.words @@ a.query and p.knowledge_base_id = v_base limit v_most) p
  ), counted as materialized (
    -- Whole numbers, whose sum is the same in any order.
    select a.number, coalesce(c.count, 0) as count,
        case when c.count >= v_most then 1
          else 1 + round(1000 * ln(1 + (greatest(v_count, c.count) - c.count + 0.5) / (c.count + 0.5)))::integer
        end as weight
      from asked a left join (select h.number, count(*) as count from hits h group by h.number) c using (number)
  ), best as materialized (
    select h.document_id, h.ordinal, sum(c.weight) as score from hits h join counted c using (number)
      group by h.document_id, h.ordinal
      order by score desc, h.document_id, h.ordinal limit (argument ->> 'limit')::integer
  )
  select jsonb_build_object('passage_count', v_count, 'word_count', v_words,
      'frequencies', (
        select coalesce(jsonb_agg(case when c.count >= v_most then greatest(c.count, v_count / 2) else c.count end
          order by c.number), '[]') from counted c),
      'passages', (
        select coalesce(jsonb_agg(jsonb_build_object('document_id', b.document_id, 'document_name', d.name,
            'ordinal', b.ordinal, 'page', p.page, 'heading', p.heading, 'text', p.text)
            order by b.score desc, b.document_id, b.ordinal), '[]')
          from best b
          -- With a limit the planner looks each up, and does not read all passages.
          cross join lateral (select * from public.passages f
            where f.document_id = b.document_id and f.ordinal = b.ordinal limit 1) p
          cross join lateral (select * from public.documents f where f.id = b.document_id limit 1) d))
    into v_found;
  return v_found;
end $$;
