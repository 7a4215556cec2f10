-- Changes of tables. Each step runs once, in order, and is recorded; it runs again if a column it adds is
-- missing. Databases from before steps were recorded have run some of them: each step changes, and locks,
-- nothing that is as it should be.
do $$
declare
  v_step record;
begin
  for v_step in
    select s.*, to_regclass(s.on_table) as oid, not exists (
        select from foreword.schema_steps d where d.step = s.step
          and d.on_table = to_regclass(s.on_table)) as is_new
    from (values
{{steps}}
    ) as s (step, version, on_table, columns, statements)
    order by s.step
  loop
    if exists (
      select from unnest(v_step.columns) as name
      where not exists (select from pg_attribute a where a.attrelid = v_step.oid and a.attname = name
        and not a.attisdropped)
    ) or (v_step.is_new and v_step.columns = '{}') then
      execute v_step.statements;
    end if;
    if v_step.is_new then
      insert into foreword.schema_steps (step, on_table, version)
        values (v_step.step, v_step.oid, v_step.version);
    end if;
  end loop;
end $$;
