-- Returns the tool calls of a reply as a model is sent them again later: a long output of one of our own
-- tools is cut to 4,096 characters of its text.
-- @param p_metadata a message's; users may have written anything there
-- @returns a list, or null if there are none
create or replace function foreword.trim_tools(p_metadata jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_agg(case
    when t.tool ->> 'runsOn' = 'server' and length(t.tool #>> '{outcome,output}') > 4096
      then jsonb_set(t.tool, '{outcome,output}', to_jsonb(left(coalesce(
        (select string_agg(part.value ->> 'text', E'\n') from jsonb_array_elements(
          case when jsonb_typeof(t.tool #> '{outcome,output,content}') = 'array'
            then t.tool #> '{outcome,output,content}' else '[]' end) part where part.value ->> 'type' = 'text'),
        t.tool #>> '{outcome,output}'), 4096)))
    else t.tool end order by t.place)
  from jsonb_array_elements(case
    when jsonb_typeof(p_metadata -> 'tools') = 'array' and pg_column_size(p_metadata) <= 6291456
      and octet_length((p_metadata -> 'tools')::text) <= 6291456
      then p_metadata -> 'tools' else '[]' end) with ordinality as t (tool, place)
$$;
