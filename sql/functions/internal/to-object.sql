-- Returns the metadata of a message as an object: users may have written anything there.
create or replace function foreword.to_object(p_metadata jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select case jsonb_typeof(p_metadata) when 'object' then p_metadata else '{}' end
$$;
