-- Creates a conversation together with its only message, as most are: nothing in it has to be looked for.
-- @param argument as in chat_save_messages
-- @returns as chat_save_messages; or null, with nothing written, if the conversation may exist already, or
--   another step of chat_save_messages is needed
create or replace function foreword.start_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_message jsonb := argument #> '{path,0}';
  v_message_id uuid := (v_message ->> 'id')::uuid;
  v_digest bytea;
  v_stored_id uuid;
begin
  if jsonb_array_length(argument -> 'path') <> 1 or argument ->> 'anchor' is not null
    or argument #>> '{conversation,chat_id}' is not null or jsonb_typeof(argument -> 'continue') = 'object'
    or coalesce((argument ->> 'late')::boolean, false) or v_message ->> 'role' <> 'user'
    or (jsonb_typeof(argument -> 'candidates') = 'array' and argument -> 'candidates' <> '[]')
  then
    return null;
  end if;
  -- A user may only write a leaf that exists.
  if auth.uid() is not null or exists (select from public.deleted_conversations d where d.id = v_id) then
    return null;
  end if;
  v_digest := sha256(decode(v_message #>> '{digests,0}', 'hex'));
  with conversation as (
    insert into public.conversations (id, title, user_id, updated_at, leaf_id)
      values (v_id, argument #>> '{conversation,title}', v_user, clock_timestamp(), v_message_id)
      on conflict (id) do nothing returning id, user_id
  ), message as (
    insert into public.messages (id, conversation_id, user_id, role, content, metadata, status, digest, created_at)
      select v_message_id, c.id, c.user_id, 'user', coalesce(v_message ->> 'content', ''),
          coalesce(v_message -> 'metadata', '{}'), v_message ->> 'status', v_digest, clock_timestamp()
        from conversation c
      returning id, conversation_id, user_id
  ), title_words as (
    insert into public.title_words (id, conversation_id, words)
      select c.id, c.id, (argument #>> '{words,title}')::tsvector from conversation c
  ), message_words as (
    insert into public.message_words (id, conversation_id, words)
      select m.id, m.conversation_id, foreword.find_words(m.conversation_id, m.user_id, argument -> 'words')
        from message m
  )
  select m.id into v_stored_id from message m;
  if v_stored_id is null then
    return null;
  end if;
  return jsonb_build_object('conversation_id', v_id, 'message_id', v_message_id, 'digest',
    encode(v_digest, 'hex'));
end $$;
