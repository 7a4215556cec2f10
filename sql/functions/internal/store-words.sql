-- Stores the words of a message that was written just now, unless a server has read it already.
-- @param p_content the text that has these words: the message may be another one that counts as the same
-- @param p_words {user_id, conversation_id: those that the words name, message: a tsvector, or null, title}
create or replace function foreword.store_words(p_message_id uuid, p_content text, p_words jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  if p_words ->> 'message' is null then
    return;
  end if;
  update public.message_words w set words = (p_words ->> 'message')::tsvector
    from public.messages m
    where m.id = p_message_id and m.content = p_content
      and m.conversation_id = (p_words ->> 'conversation_id')::uuid
      and m.user_id is not distinct from (p_words ->> 'user_id')::uuid
      and w.id = m.id and w.words is null and w.revision = 0;
end $$;
