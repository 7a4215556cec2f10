-- Describes this schema to servers and to `foreword doctor`.
-- @param schema_version optional: without it, servers that this schema does not serve can ask for its version
create or replace function public.chat_describe_schema(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  if argument ? 'schema_version' then
    perform public.chat_check_version(argument);
  end if;
  return jsonb_build_object(
    'version', {{version}},
    'serves_from', {{serves_from}},
    'caller', current_user,
    'tables', (
      select jsonb_object_agg(c.relname, jsonb_build_object(
        'row_level_security', c.relrowsecurity,
        'policies', (select count(*) from pg_policy p where p.polrelid = c.oid),
        'anon', has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate'),
        'service_role', has_table_privilege('service_role', c.oid, 'select')
          and has_table_privilege('service_role', c.oid, 'insert')
          and has_table_privilege('service_role', c.oid, 'update')
            and has_table_privilege('service_role', c.oid, 'delete')))
      from unnest(array[
{{tables}}
      ]) as name join pg_class c on c.oid = to_regclass(name)
    ),
    'has_vectors', foreword.vector_schema() is not null,
    'functions', (
      select jsonb_object_agg(p.proname, jsonb_build_object(
        'anon', has_function_privilege('anon', p.oid, 'execute'),
        'authenticated', has_function_privilege('authenticated', p.oid, 'execute'),
        'service_role', has_function_privilege('service_role', p.oid, 'execute')))
      from unnest(array[
{{functions}}
      ]) as name join pg_proc p on p.oid = name::regprocedure
    ),
    'internal_functions', (
      select jsonb_agg(name) from unnest(array[
{{internal functions}}
      ]) as name where name::regprocedure is not null
    ),
    'steps', (
      select jsonb_agg(distinct s.step order by s.step) from foreword.schema_steps s
    )
  );
end $$;
