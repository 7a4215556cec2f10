do $$
declare
  v_function text;
  -- Its servers may connect as this role, though another one may apply this file.
  v_owner text := (select p.proowner::regrole from pg_proc p
    where p.oid = 'public.chat_describe_schema(jsonb)'::regprocedure);
begin
  if v_owner <> quote_ident(current_user) then
    foreach v_function in array array[
{{functions}},
{{trigger functions}},
{{internal functions}}
    ] loop
      if (select pg_get_userbyid(p.proowner) = current_user from pg_proc p
        where p.oid = v_function::regprocedure) then
        execute format('alter function %s owner to %s', v_function::regprocedure, v_owner);
      end if;
    end loop;
    if (select pg_get_userbyid(n.nspowner) = current_user from pg_namespace n where n.nspname = 'foreword') then
      execute format('alter schema foreword owner to %s', v_owner);
    end if;
  end if;
  foreach v_function in array array[
{{functions}}
  ] loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function::regprocedure);
    execute format('grant execute on function %s to service_role', v_function::regprocedure);
    -- PostgREST applies it to the whole transaction; elsewhere the server sends the rest of its deadline.
    execute format('alter function %s set statement_timeout = %L', v_function::regprocedure, '5s');
  end loop;
  foreach v_function in array array[
{{trigger functions}},
{{internal functions}}
  ] loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function::regprocedure);
  end loop;
  foreach v_function in array array[
{{internal functions}}
  ] loop
    execute format('grant execute on function %s to service_role, %s', v_function::regprocedure, v_owner);
  end loop;
  execute format('grant usage on schema foreword to %s', v_owner);
  execute format('grant select on foreword.schema_steps to %s', v_owner);
end $$;

-- The one function of the mode without a service-role key: it stores messages with their user's own token.
-- Its parts run as that user too; they are in a schema that no API exposes.
grant execute on function public.chat_save_messages(jsonb) to authenticated;
grant execute on function foreword.check_version(jsonb), foreword.start_conversation(jsonb),
  foreword.find_conversation(jsonb),
  foreword.find_candidate(uuid, jsonb), foreword.create_conversation(uuid, uuid, jsonb),
  foreword.adopt_old_rows(uuid, uuid, jsonb),
  foreword.append_path(uuid, uuid, uuid, bytea, integer, jsonb), foreword.next_time(uuid),
    foreword.match_message(uuid, uuid, jsonb, boolean), foreword.find_earlier_reply(uuid, uuid, jsonb),
    foreword.add_results(jsonb, jsonb), foreword.merge_tools(jsonb, jsonb)
  to authenticated;
-- The trigger that counts paths runs as the user who writes.
grant execute on function foreword.message_bytes(text, jsonb), foreword.path_bytes(uuid) to authenticated;
-- Functions that become the user call them.
grant execute on function foreword.trim_tools(jsonb), foreword.to_object(jsonb) to authenticated;
