-- Indexes and triggers are created only if they are missing: each of these statements locks its table even if
-- it finds nothing to do, and applying this file again must hold up no query.
do $$
declare
  v_statement text;
  v_name text;
begin
  foreach v_statement in array array[
{{statements indexes/*.sql triggers/*.sql}}
  ] loop
    v_name := substring(v_statement from '(?:index|trigger) (\w+)');
    if to_regclass('public.' || v_name) is null and not exists (
      select from pg_trigger t where t.tgname = v_name
        and t.tgrelid = to_regclass(substring(v_statement from '\son (\S+)'))
    ) then
      execute v_statement;
    end if;
  end loop;
end $$;
