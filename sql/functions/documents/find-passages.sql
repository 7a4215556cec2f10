-- Returns the passages of a knowledge base that hold the rarest of the given words. It runs as the service,
-- and the knowledge base is part of each word: behind row level security, word comparisons could not use an
-- index. A word that more than a third of many passages holds says little, nor does a group of letters that
-- more than one in twenty holds: it counts as if half of them held it, and only some are looked at. Groups in
-- a word that so many hold are at least as common, and are not looked for.
-- Since version 11.
-- @param owner the user, or null
-- @param knowledge_base its name
-- @param words groups of letters begin with a colon
-- @param limit
-- @returns {passage_count, word_count of the knowledge base, frequencies: in how many passages each word is,
--   passages: [{document_id, document_name, ordinal, page, heading, text}], the best first}, or
--   {missing: true} if there is no such knowledge base
create or replace function public.chat_find_passages(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off
  set plan_cache_mode = force_custom_plan as $$
declare
  c_least constant integer := 300; -- how many passages with a word are looked at, however common it is
  c_grouped_length constant integer := 4; -- shorter words have no groups
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_base uuid;
  v_count bigint;
  v_words bigint;
  v_most_words integer; -- passages with one word
  v_most integer; -- with one group
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
  v_most := greatest(c_least, v_count / 20);
  v_most_words := greatest(c_least, v_count / 3);
  with asked as materialized (
    select a.number, a.word, left(a.word, 1) = ':' as is_group,
        quote_literal(left(v_base::text, 8) || a.word)::tsquery as query
      from jsonb_array_elements_text(argument -> 'words') with ordinality as a (word, number)
  ), words as materialized (
    -- Rows are named by their place in the table: within one statement it stays the same.
    select a.number, a.word, array(select p.ctid from public.passages p
        where p.words @@ a.query and p.knowledge_base_id = v_base limit v_most_words) as places
      from asked a where not a.is_group
  ), common as materialized (
    select w.word from words w
      where cardinality(w.places) >= v_most and char_length(w.word) >= c_grouped_length
  ), found as materialized (
    select w.number, w.places, cardinality(w.places) < v_most_words as is_rare from words w
    union all
    select a.number, g.places, cardinality(g.places) < v_most from asked a cross join lateral (
      select case when not exists (select from common c where strpos(c.word, substr(a.word, 2)) > 0)
        then array(select p.ctid from public.passages p
          where p.words @@ a.query and p.knowledge_base_id = v_base limit v_most) end as places offset 0) g
      where a.is_group
  ), counted as (
    select f.number, f.places, f.is_rare, case when f.is_rare then cardinality(f.places)
        else greatest(cardinality(f.places), v_count / 2) end as count
      from found f
  ), weighted as materialized (
    -- Whole numbers, whose sum is the same in any order.
    select c.number, c.count, case when c.is_rare then c.places else c.places[:c_least] end as places,
        case when c.is_rare
          then 1 + round(1000 * ln(1 + (greatest(v_count, c.count) - c.count + 0.5) / (c.count + 0.5)))::integer
          else 1 end as weight
      from counted c
  ), best as materialized (
    select h.place, sum(w.weight) as score from weighted w cross join unnest(w.places) as h (place)
      group by h.place order by score desc, h.place limit (argument ->> 'limit')::integer
  )
  select jsonb_build_object('passage_count', v_count, 'word_count', v_words,
      'frequencies', (select coalesce(jsonb_agg(w.count order by w.number), '[]') from weighted w),
      'passages', (
        select coalesce(jsonb_agg(jsonb_build_object('document_id', p.document_id, 'document_name', d.name,
            'ordinal', p.ordinal, 'page', p.page, 'heading', p.heading, 'text', p.text)
            order by b.score desc, p.document_id, p.ordinal), '[]')
          from best b
          -- With a limit the planner looks each up, and does not read all passages.
          cross join lateral (select * from public.passages f where f.ctid = b.place limit 1) p
          cross join lateral (select * from public.documents f where f.id = p.document_id limit 1) d))
    into v_found;
  return v_found;
end $$;
