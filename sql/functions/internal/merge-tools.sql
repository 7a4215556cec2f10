-- Returns the tool calls of a reply that has come again with more of them, or with results: the stored ones,
-- then the sent ones that are new. The client's stored calls are replaced by the sent ones in the same order,
-- unless only the stored one has a result: the reply's end may come after them.
-- Clients cannot change calls that this server ran.
-- @param p_stored, p_sent as `metadata.tools` holds them
create or replace function foreword.merge_tools(p_stored jsonb, p_sent jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  with stored as (
    select s.tool, s.place, s.tool ->> 'runsOn' = 'client' as is_client,
      count(*) filter (where s.tool ->> 'runsOn' = 'client') over (order by s.place) as nth
    from jsonb_array_elements(case when jsonb_typeof(p_stored) = 'array' then p_stored else '[]' end)
      with ordinality as s (tool, place)
  ), sent as (
    select s.tool, s.place, s.tool ->> 'runsOn' = 'client' as is_client,
      count(*) filter (where s.tool ->> 'runsOn' = 'client') over (order by s.place) as nth
    from jsonb_array_elements(case when jsonb_typeof(p_sent) = 'array' then p_sent else '[]' end)
      with ordinality as s (tool, place)
  )
  select coalesce(jsonb_agg(m.tool order by m.is_new, m.place), '[]') from (
    select case when old.tool ? 'outcome' and not new.tool ? 'outcome' then old.tool
        else coalesce(new.tool, old.tool) end as tool, false as is_new, old.place
      from stored old left join sent new on old.is_client and new.is_client and new.nth = old.nth
    union all
    select new.tool, true, new.place from sent new
      where case when new.is_client
        then new.nth > (select count(*) from stored old where old.is_client)
        else not exists (select from stored old where not old.is_client
          and old.tool ->> 'callId' = new.tool ->> 'callId' and old.tool ->> 'step' = new.tool ->> 'step') end
  ) m
$$;
