-- Becomes the user, if there is one; unowned rows are read as the service.
-- @param schema_version, user_id
create or replace function public.chat_become_caller(argument jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  if argument ->> 'user_id' is not null then
    perform public.chat_become_user(argument);
  end if;
end $$;
