-- Roles, auth.uid() and the schemas: Supabase has the first two, plain Postgres gets them here.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin noinherit', v_role);
      exception
        -- Another database's migration created it.
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then
          raise exception 'the role % is missing, and % may not create roles: nothing was changed', v_role, current_user
            using errcode = 'insufficient_privilege', hint = format(
              'As a superuser, run: alter role %1$I createrole; '
              || 'and once the schema is applied: alter role %1$I nocreaterole', current_user);
      end;
    end if;
  end loop;
  if not (select rolbypassrls from pg_roles where rolname = 'service_role') then
    begin
      alter role service_role bypassrls;
    exception when insufficient_privilege then null; -- the owner bypasses row level security all the same
    end;
  end if;
  -- The functions step down to the user whose rows they read, so their caller must be able to become one.
  begin
    execute format('grant authenticated to %I', current_user);
  exception when insufficient_privilege then
    if not pg_has_role(current_user, 'authenticated', 'member') then
      raise warning 'as a superuser, run: grant authenticated to %', quote_ident(current_user);
    end if;
  end;
end $$;

do $$
begin
  if (to_regprocedure('auth.uid()') is null or to_regnamespace('foreword') is null)
    and not has_database_privilege(current_database(), 'create')
  then
    raise exception 'the schema foreword or auth is missing, and % may not create schemas: nothing was changed', current_user
      using errcode = 'insufficient_privilege', hint = format(
        'As the owner of the database, run: grant create on database %I to %I', current_database(),
        current_user);
  end if;
  if to_regprocedure('auth.uid()') is null then
    create schema if not exists auth;
    create function auth.uid() returns uuid language sql stable set search_path = '' as $f$
      select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
    $f$;
    grant usage on schema auth to anon, authenticated, service_role;
  end if;
  -- No API exposes this schema: it holds the record of steps, and the parts of functions.
  if to_regnamespace('foreword') is null then
    create schema foreword;
  end if;
end $$;

grant usage on schema public to anon, authenticated, service_role;
grant usage on schema foreword to authenticated, service_role;
