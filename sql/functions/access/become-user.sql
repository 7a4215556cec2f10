-- Becomes the user until the transaction ends: from here on, row level security decides.
-- @param user_id
create or replace function public.chat_become_user(argument jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  perform set_config('request.jwt.claims',
    json_build_object('sub', argument ->> 'user_id', 'role', 'authenticated')::text, true);
  perform set_config('role', 'authenticated', true);
end $$;
