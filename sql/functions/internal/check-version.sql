-- Refuses servers of other schema versions, for chat_check_version and for chat_save_messages, whose caller
-- may be a user.
create or replace function foreword.check_version(argument jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if coalesce((argument ->> 'schema_version')::integer, 0) not between {{serves_from}} and {{version}} then
    raise exception 'this schema has version {{version}} and serves servers from version {{serves_from}} on, the server asks for %', argument ->> 'schema_version'
      using errcode = 'FW001';
  end if;
end $$;
