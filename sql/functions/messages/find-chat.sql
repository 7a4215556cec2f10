-- Returns the conversation of an AI SDK chat: the one that was created for it, else the one whose id is
-- derived from the chat's. If that one belongs to another user, returns null: no user can block a chat by
-- taking its id.
-- @param conversation {id, user_id, chat_id}
create or replace function public.chat_find_chat(argument jsonb) returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_user uuid := coalesce(auth.uid(), (argument #>> '{conversation,user_id}')::uuid);
begin
  return coalesce(
    (select c.id from public.conversations c where c.chat_id = argument #>> '{conversation,chat_id}'
      and c.user_id is not distinct from v_user),
    case when not exists (select from public.conversations c where c.id = v_id
      and c.user_id is distinct from v_user) then v_id end);
end $$;
