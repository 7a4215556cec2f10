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
  insert into public.conversations (id, title, user_id, updated_at, leaf_id)
    values (v_id, argument #>> '{conversation,title}', v_user, clock_timestamp(), v_message_id)
    on conflict (id) do nothing;
  if not found then
    return null;
  end if;
  if argument #>> '{words,title}' is not null then
    update public.title_words set words = (argument #>> '{words,title}')::tsvector where id = v_id;
  end if;
  v_digest := sha256(decode(v_message #>> '{digests,0}', 'hex'));
  insert into public.messages (id, conversation_id, user_id, role, content, metadata, status, digest, created_at)
    values (v_message_id, v_id, v_user, 'user', coalesce(v_message ->> 'content', ''),
      coalesce(v_message -> 'metadata', '{}'), v_message ->> 'status', v_digest, clock_timestamp());
  return jsonb_build_object('conversation_id', v_id, 'message_id', v_message_id, 'digest',
    encode(v_digest, 'hex'));
end $$;
