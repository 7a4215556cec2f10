-- Adds to a conversation the messages of a path that it does not hold yet. The other functions call it as the
-- service. Users may call it with their own token: row level security then decides, also in its parts.
-- @param conversation {id, is_named, must_own: whether unowned conversations count as another user's, title,
--   user_id, age_ms: since the turn began, chat_id: as in chat_find_chat}
-- @param anchor the digest of the path before its first message here, or null
-- @param path [{id, role, content, metadata, status?, digests: the likeliest first, sent_id: of one of our
--   replies, or null, client_id: the client's id for it, after: a reply without text that comes before it,
--   tools_digest: of the calls in `metadata.tools` that the client runs, if there are any, earlier_digests:
--   of the reply without the results of its last calls, the likeliest first, if it has some,
--   earlier_tools_digest: of its calls then}]
-- @param candidates digests of paths that end in a reply, the longest first
-- @param addresses {id: content digest} of rows of the old service
-- @param step_bytes how much of `unaddressed` to return at most, oldest first, once `addresses` are in the
--   tree
-- @param late whether it waited in a journal: a conversation that has gone on meanwhile keeps its leaf
-- @param continue for a path that need not start at the root: as in chat_find_place, and
--   {must_exist, max_chars, with_summaries: since version 9, as in chat_list_path}
-- @param words as in chat_begin_turn; only from the service: users get a permission error
-- @returns {conversation_id, message_id: the last message, digest, history: for `continue`, the messages
--   before the path as chat_list_path returns them}; or, with nothing written, one of
--   {missing} the path does not start at the root, and its anchor is not stored
--   {deleted} the conversation was deleted since the turn began
--   {unaddressed} rows of the old service, which must come back with their content digests first
--   {missing_path}, {running} as in chat_find_place
create or replace function public.chat_save_messages(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_is_late boolean := coalesce((argument ->> 'late')::boolean, false);
  v_continues boolean := coalesce(jsonb_typeof(argument -> 'continue') = 'object', false);
  v_said timestamptz := clock_timestamp() - (argument #>> '{conversation,age_ms}')::bigint * interval '1 millisecond';
  v_result jsonb;
  v_conversation uuid;
  v_owner uuid;
  v_parent uuid;
  v_digest bytea := '';
  v_skip integer := 0;
  v_history jsonb;
  v_message uuid;
  v_fork uuid;
  v_is_known boolean;
begin
  perform foreword.check_version(argument);
  v_result := foreword.start_conversation(argument);
  if v_result is not null then
    return v_result;
  end if;
  v_result := foreword.find_conversation(argument);
  if not v_result ? 'id' then
    return v_result;
  end if;
  v_conversation := (v_result ->> 'id')::uuid;
  v_owner := (v_result ->> 'user_id')::uuid;

  if exists (select from public.messages where conversation_id = v_conversation and digest is null) then
    v_result := foreword.adopt_old_rows(v_conversation, v_owner, argument);
    if v_result is not null then
      return v_result;
    end if;
  end if;

  if argument ->> 'anchor' is not null then
    select m.id, m.digest into v_parent, v_digest from public.messages m
      where m.conversation_id = v_conversation and m.digest = decode(argument ->> 'anchor', 'hex');
    if v_parent is null then
      return jsonb_build_object('missing', true);
    end if;
  elsif v_continues then
    v_result := public.chat_find_place(argument || jsonb_build_object('conversation_id', v_conversation));
    if v_result ?| array['running', 'missing_path'] then
      return v_result;
    end if;
    v_skip := (v_result ->> 'skip')::integer;
    select m.id, m.digest into v_parent, v_digest from public.messages m
      where m.id = (v_result ->> 'parent')::uuid;
    v_digest := coalesce(v_digest, '');
    if argument #>> '{continue,max_chars}' is not null then
      v_history := public.chat_list_path(jsonb_build_object('parent_id', v_parent, 'max_chars',
        argument #> '{continue,max_chars}', 'with_summaries', argument #> '{continue,with_summaries}'));
    end if;
  end if;

  v_result := foreword.append_path(v_conversation, v_owner, v_parent, v_digest, v_skip, argument);
  v_message := (v_result ->> 'message_id')::uuid;
  v_fork := (v_result ->> 'fork_id')::uuid;
  v_is_known := (v_result ->> 'is_known')::boolean;
  update public.conversations set
      leaf_id = case when not v_is_late or leaf_id is null or updated_at <= v_said
        or (not v_is_known and leaf_id = v_fork)
          or leaf_id = (select m.parent_id from public.messages m where m.id = v_message)
          or (v_continues and not v_is_known
            and leaf_id = (select m.parent_id from public.messages m where m.id = v_fork))
        then v_message else leaf_id end,
      updated_at = case when v_is_late then greatest(updated_at, v_said) else clock_timestamp() end
    where id = v_conversation;
  if argument #>> '{words,message}' is not null then
    perform foreword.store_words(v_message, argument #>> '{path,-1,content}', argument -> 'words');
  end if;
  return jsonb_build_object('conversation_id', v_conversation, 'message_id', v_message, 'digest',
    v_result -> 'digest')
    || case when v_history is null then '{}' else jsonb_build_object('history', v_history) end;
end $$;
