-- Gives a conversation the title that a model has made, if its title is still the one made of a question.
-- Since version 9.
-- @param user_id or null
-- @param conversation_id, turn_id: the turn with the first reply
-- @param replaces the titles that may be replaced
-- @param title; null changes nothing, and asks whether the turn's reply is the conversation's first
-- @returns {is_free: whether the title may be, or was, replaced}
create or replace function public.chat_title_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument ->> 'conversation_id')::uuid;
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_check_version(argument);
  if argument ->> 'title' is null then
    return jsonb_build_object('is_free', exists (
        select from public.conversations c where c.id = v_id and c.user_id is not distinct from v_user
          and c.titled_by is null and argument -> 'replaces' ? c.title)
      -- Of several that are stored before any of them asks, exactly one is the first.
      and not exists (select from public.turns t, public.turns own where own.id = (argument ->> 'turn_id')::uuid
        and t.conversation_id = v_id and t.message_id is not null
        and (t.started_at, t.id) < (own.started_at, own.id)));
  end if;
  update public.conversations set title = argument ->> 'title', titled_by = 'model'
    where id = v_id and user_id is not distinct from v_user and titled_by is null
      and argument -> 'replaces' ? title;
  return jsonb_build_object('is_free', found);
end $$;
