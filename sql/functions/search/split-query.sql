-- Returns the words of a search as a tsquery, or null without words. For servers of version 6, which send
-- only the text of the search.
-- @param user_id or null
-- @param query
create or replace function public.chat_split_query(argument jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select to_jsonb(string_agg('(' || a.words || ')', ' | '))
  from (
      -- As servers fold words, as far as the database can.
      select lower(case when getdatabaseencoding() = 'UTF8'
        then normalize(regexp_replace(normalize(lower(q.text), nfkd), '[\u0300-\u036f]', '', 'g'), nfc)
        else q.text end) as text
      -- Not a constant, hence offset 0: the planner would normalize one in any encoding.
      from (select left(argument ->> 'query', 200) as text offset 0) q
    ) folded,
    lateral regexp_split_to_table(folded.text, '\s+or\s+') as alternative,
    lateral (
      select string_agg(case when t.term like '-%' then '!' else '' end || '(' || p.words
        || ')', ' & ') as words
      from regexp_split_to_table(alternative, '\s+') as t (term),
        lateral (
          select string_agg(quote_literal(right(coalesce((argument ->> 'user_id')::uuid::text, 'nobody'), 8)
            || left(word, 64)), ' & ') as words
          from regexp_split_to_table(t.term, '[][!-/:-@\\^_`{-~]+') as word where word <> ''
        ) p
      where p.words is not null
    ) a
  where a.words is not null
$$;
