-- Users read and write their own conversations and messages, and only read their turns, pieces, items,
-- tombstones and usage. A policy is created again only if it is not as this file created it, which its
-- comment remembers.
do $$
declare
  v_statement text;
  v_name text;
  v_table text;
  v_seen text;
  v_owner name := (select pg_get_userbyid(p.proowner) from pg_proc p
    where p.oid = to_regprocedure('public.chat_describe_schema(jsonb)'));
begin
  foreach v_table in array array[
{{tables}}
  ] loop
    continue when to_regclass(v_table) is null; -- it needs an extension
    -- Servers may connect as the owner of the functions, though another role applies this file.
    if v_owner <> current_user and v_table not in ('public.conversations', 'public.messages') and exists (
      select from pg_class c where c.oid = v_table::regclass and pg_get_userbyid(c.relowner) = current_user
    ) then
      execute format('alter table %s owner to %I', v_table::regclass, v_owner);
    end if;
    if not (select relrowsecurity from pg_class where oid = v_table::regclass) then
      execute format('alter table %s enable row level security', v_table::regclass);
    end if;
    execute format('revoke all on %s from public, anon, authenticated', v_table::regclass);
    execute format('grant all on %s to service_role', v_table::regclass);
  end loop;
  foreach v_statement in array array[
{{statements policies/*.sql}}
  ] loop
    v_name := substring(v_statement from 'policy (\w+)');
    v_table := substring(v_statement from 'policy \w+ on (\S+)');
    continue when to_regclass(v_table) is null;
    for v_attempt in 1 .. 2 loop
      select md5(concat_ws(' ', v_statement, p.polcmd, p.polpermissive, p.polroles::text,
          pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)))
        into v_seen from pg_policy p where p.polrelid = v_table::regclass and p.polname = v_name;
      exit when v_attempt = 1 and v_seen = (
        select obj_description(p.oid, 'pg_policy') from pg_policy p where p.polrelid = v_table::regclass
          and p.polname = v_name);
      if v_attempt = 2 then
        execute format('comment on policy %I on %s is %L', v_name, v_table::regclass, v_seen);
      else
        execute format('drop policy if exists %I on %s', v_name, v_table::regclass);
        execute v_statement;
      end if;
    end loop;
  end loop;
  if to_regclass('public.passage_vectors') is not null then
    grant select on public.passage_vectors to authenticated;
  end if;
end $$;

grant select, insert, update, delete on public.conversations, public.messages to authenticated;
grant select on public.turns, public.turn_pieces, public.turn_events, public.deleted_conversations,
  public.daily_usage, public.attachments, public.attachment_pieces, public.message_attachments,
  public.context_summaries, public.knowledge_bases, public.documents, public.passages to authenticated;
