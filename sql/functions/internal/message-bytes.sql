-- Returns the bytes of a message for the places where long chats are cut, as countMessageBytes of the server
-- counts them: an image counts 4,000, the result of a tool at most 4,096.
-- @param p_metadata users may have written anything there
create or replace function foreword.message_bytes(p_content text, p_metadata jsonb) returns bigint
language sql immutable set search_path = '' as $$
  select coalesce(octet_length(p_content), 0)
    + case when jsonb_typeof(p_metadata -> 'images_count') = 'number'
      then 4000 * greatest(0, least((p_metadata ->> 'images_count')::numeric, 1000))::bigint else 0 end
    + case when jsonb_typeof(p_metadata -> 'tools') = 'array' then (
      select coalesce(sum(octet_length(coalesce(t.tool ->> 'name', ''))
        + octet_length(coalesce(t.tool ->> 'input', ''))
        + least(4096, octet_length(coalesce(t.tool #>> '{outcome,output}', '')))), 0)::bigint
      from jsonb_array_elements(p_metadata -> 'tools') t (tool)) else 0 end
$$;
