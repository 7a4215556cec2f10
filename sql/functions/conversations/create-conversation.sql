-- Creates an empty conversation. Returns it, or {missing} if the id is taken.
-- @param user_id or null
-- @param conversation_id, title, metadata
create or replace function public.chat_create_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_made jsonb;
begin
  perform public.chat_become_caller(argument);
  insert into public.conversations as c (id, title, user_id, metadata, titled_by)
    values ((argument ->> 'conversation_id')::uuid, argument ->> 'title', (argument ->> 'user_id')::uuid,
      argument -> 'metadata', case when argument ->> 'title' <> 'New Chat' then 'person' end)
    on conflict (id) do nothing returning to_jsonb(c) into v_made;
  return coalesce(v_made, '{"missing": true}');
end $$;
