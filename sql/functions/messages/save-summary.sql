-- Stores the summary of the path that ends in a message, unless it has one, or is gone. Since version 9.
-- @param message_id
-- @param text null to store that of an equal path of the same user, if there is one
-- @param model which wrote it, or null
-- @returns {text: the stored summary, or null}
create or replace function public.chat_save_summary(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_message public.messages;
  v_text text := argument ->> 'text';
  v_model text := argument ->> 'model';
  v_equal uuid;
begin
  perform public.chat_check_version(argument);
  select * into v_message from public.messages where id = (argument ->> 'message_id')::uuid for key share;
  if v_text is null and v_message.user_id is null then
    select s.message_id into v_equal from public.messages m join public.context_summaries s
      on s.message_id = m.id where m.user_id is null and m.digest = v_message.digest limit 1;
  elsif v_text is null then
    select s.message_id into v_equal from public.messages m join public.context_summaries s
      on s.message_id = m.id where m.user_id = v_message.user_id and m.digest = v_message.digest limit 1;
  end if;
  if v_equal is not null then
    select s.text, s.model into v_text, v_model from public.context_summaries s where s.message_id = v_equal;
  end if;
  if v_message.id is not null and v_text is not null then
    insert into public.context_summaries (message_id, conversation_id, text, model)
      values (v_message.id, v_message.conversation_id, v_text, v_model)
      on conflict (message_id) do nothing;
  end if;
  return jsonb_build_object('text',
    (select s.text from public.context_summaries s where s.message_id = v_message.id));
end $$;
