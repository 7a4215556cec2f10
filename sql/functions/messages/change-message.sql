-- Changes what a message of the user holds. One that then holds nothing is deleted, unless others follow it:
-- they would lose their place. It stays without content, and is no longer part of the chat.
-- @param user_id or null
-- @param conversation_id, message_id
-- @param content, plan, tools, tools_digest: of these tools, attachments: each null for none
-- @param erased the parts that it has lost, now too
-- @param was_content, was_erased as they were read; nothing changes if they are not the same any more. Users
--   may have written anything in place of the latter: that counts as unchanged
-- @returns {changed: true}; or {missing}; or {conflict}
create or replace function public.chat_change_message(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_message public.messages;
  v_shown jsonb; -- as it is read: users' long rows are cut
  v_erased jsonb;
  v_metadata jsonb := jsonb_strip_nulls(jsonb_build_object('plan', argument -> 'plan',
    'tools', argument -> 'tools', 'tools_digest', argument -> 'tools_digest',
    'attachments', argument -> 'attachments'));
begin
  perform public.chat_check_version(argument);
  perform 1 from public.conversations c where c.id = v_conversation
    and c.user_id is not distinct from (argument ->> 'user_id')::uuid for update;
  if not found then
    return jsonb_build_object('missing', true);
  end if;
  -- From here on, row level security decides.
  v_shown := public.chat_list_messages(
    argument || jsonb_build_object('ids', array[argument ->> 'message_id'])) -> 0;
  select * into v_message from public.messages m
    where m.id = (argument ->> 'message_id')::uuid and m.conversation_id = v_conversation for update;
  if v_shown is null or v_message.id is null then
    return jsonb_build_object('missing', true);
  end if;
  v_erased := coalesce(foreword.to_object(v_shown -> 'metadata') -> 'erased', '[]');
  if coalesce(v_shown ->> 'content', '') <> coalesce(argument ->> 'was_content', '')
    or (v_erased <> coalesce(argument -> 'was_erased', '[]') and v_erased::text
      ~ '^\[(\{"at": \d{1,15}, "isText": (true|false), "number": \d{1,15}\}(, )?)*\]$')
  then
    return jsonb_build_object('conflict', true);
  end if;
  if coalesce(argument ->> 'content', '') = '' and v_metadata = '{}' and not exists (
    select from public.messages m where m.conversation_id = v_conversation and m.parent_id = v_message.id
  ) and not exists (
    -- As long as a turn answers it, its reply will follow.
    select from public.turns t where t.parent_id = v_message.id and t.status in ('running', 'waiting')
  ) then
    update public.conversations set leaf_id = v_message.parent_id
      where id = v_conversation and leaf_id = v_message.id;
    delete from public.messages where id = v_message.id;
  else
    update public.messages m set content = coalesce(argument ->> 'content', ''),
        metadata = (foreword.to_object(m.metadata)
            - array['plan', 'tools', 'tools_digest', 'attachments', 'images_count'])
          || v_metadata || jsonb_build_object('is_edited', true, 'erased', argument -> 'erased')
      where m.id = v_message.id;
  end if;
  return jsonb_build_object('changed', true);
end $$;
