-- Returns the bytes of a message for the places where long chats are cut, as countMessageBytes of the server
-- counts them: an image counts 4,000, the result of a tool at most 4,096.
-- @param p_metadata users may have written anything there
create or replace function foreword.message_bytes(p_content text, p_metadata jsonb) returns bigint
language plpgsql immutable set search_path = '' as $$
declare
  v_bytes bigint := coalesce(octet_length(p_content), 0);
begin
  if jsonb_typeof(p_metadata -> 'images_count') = 'number' then
    v_bytes := v_bytes + 4000 * greatest(0, least((p_metadata ->> 'images_count')::numeric, 1000))::bigint;
  end if;
  if jsonb_typeof(p_metadata -> 'tools') = 'array' then
    v_bytes := v_bytes + (
      select coalesce(sum(octet_length(coalesce(t.tool ->> 'name', ''))
        + octet_length(coalesce(t.tool ->> 'input', ''))
        + least(4096, octet_length(coalesce(t.tool #>> '{outcome,output}', '')))), 0)::bigint
      from jsonb_array_elements(p_metadata -> 'tools') t (tool));
  end if;
  return v_bytes;
end;
$$;
