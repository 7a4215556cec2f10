-- Creates the conversation of a begin.
-- @param argument as in chat_save_messages
-- @returns null, or a refusal: {missing} if its path needs earlier messages, {deleted} if the conversation
--   was deleted since the turn began
create or replace function foreword.create_conversation(p_id uuid, p_user_id uuid, argument jsonb)
  returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_said timestamptz := clock_timestamp() - (argument #>> '{conversation,age_ms}')::bigint * interval '1 millisecond';
begin
  if argument ->> 'anchor' is not null then
    return jsonb_build_object('missing', true);
  end if;
  if exists (
    select from public.deleted_conversations d where d.id = p_id and d.deleted_at >= v_said
      -- Another user's deletion does not count.
      and (d.user_id is null or p_user_id is null or d.user_id = p_user_id)
  ) then
    return jsonb_build_object('deleted', true);
  end if;
  insert into public.conversations (id, title, user_id, updated_at, chat_id)
    values (p_id, argument #>> '{conversation,title}', p_user_id,
      case when coalesce((argument ->> 'late')::boolean, false) then v_said else clock_timestamp() end,
      case when p_id::text <> argument #>> '{conversation,id}' then argument #>> '{conversation,chat_id}' end)
    on conflict (id) do nothing;
  return null;
end $$;
