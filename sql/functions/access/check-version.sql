-- Refuses servers of other schema versions with SQLSTATE FW001.
-- @param schema_version the version that the server calls with
create or replace function public.chat_check_version(argument jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
  perform foreword.check_version(argument);
end $$;
