-- version 8
-- on public.turns
-- Turns may wait. The rows fulfil the narrower check that is replaced: to validate them would read them all.
do $do$
declare
  v_check record;
begin
  for v_check in
    select conname from pg_constraint where conrelid = 'public.turns'::regclass and contype = 'c'
      and pg_get_constraintdef(oid) ~ '\mstatus\M' and pg_get_constraintdef(oid) !~ '''waiting'''
  loop
    execute format('alter table public.turns drop constraint %I', v_check.conname);
    execute format('alter table public.turns add constraint %I check (status in (''running'', ''waiting'', '
      || '''complete'', ''stopped'', ''failed'', ''interrupted'')) not valid', v_check.conname);
  end loop;
end $do$;
