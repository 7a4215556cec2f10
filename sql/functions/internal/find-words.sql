-- Returns the words of a message that is being written; null if they name another owner or conversation.
-- @param p_words as in foreword.store_words
create or replace function foreword.find_words(p_conversation_id uuid, p_user_id uuid, p_words jsonb)
  returns tsvector
language plpgsql immutable set search_path = '' as $$
begin
  if (p_words ->> 'conversation_id')::uuid = p_conversation_id
    and (p_words ->> 'user_id')::uuid is not distinct from p_user_id
  then
    return (p_words ->> 'message')::tsvector;
  end if;
  return null;
end $$;
