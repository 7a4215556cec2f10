-- Returns the tables that hold a row which row level security alone lets the user see.
-- @param user_id
create or replace function public.chat_list_visible_tables(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  perform public.chat_become_user(argument);
  return to_jsonb(array_remove(array[
    case when exists (select from public.conversations) then 'conversations' end,
    case when exists (select from public.messages) then 'messages' end,
    case when exists (select from public.turns) then 'turns' end,
    case when exists (select from public.turn_pieces) then 'turn_pieces' end,
    case when exists (select from public.turn_events) then 'turn_events' end,
    case when exists (select from public.deleted_conversations) then 'deleted_conversations' end,
    case when exists (select from public.daily_usage) then 'daily_usage' end], null));
end $$;
