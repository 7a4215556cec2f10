-- The schema `foreword` holds parts of the functions. Its owner can replace them, so it must be the role that
-- applies this file, or the functions' owner.
do $$
declare
  v_owner name;
begin
  select pg_get_userbyid(n.nspowner) into v_owner from pg_namespace n
    where n.nspname = 'foreword' and pg_get_userbyid(n.nspowner) <> current_user
      and not (pg_has_role(n.nspowner, 'usage') and exists (select from pg_proc p
        where p.oid = to_regprocedure('public.chat_describe_schema(jsonb)') and p.proowner = n.nspowner));
  if v_owner is not null then
    raise exception 'the schema foreword belongs to %, and % applies Foreword''s: nothing was changed', v_owner, current_user
      using errcode = 'insufficient_privilege', hint = format(
        'Apply this as %1$I; or run: alter schema foreword owner to %2$I; '
        || 'or, if another program uses it: alter schema foreword rename to another_name',
        v_owner, current_user);
  end if;
  if to_regclass('foreword.schema_steps') is not null and not exists (
    select from pg_attribute where attrelid = to_regclass('foreword.schema_steps') and attname = 'on_table'
  ) then
    raise exception 'the table foreword.schema_steps is another program''s: nothing was changed'
      using errcode = 'duplicate_table', hint = 'Run: alter schema foreword rename to another_name';
  end if;
end $$;
