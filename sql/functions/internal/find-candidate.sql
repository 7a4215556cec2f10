-- Finds the conversation that a path without a named one continues: the user's newest that holds the longest
-- of its candidates.
-- @param argument as in chat_save_messages
create or replace function foreword.find_candidate(p_user_id uuid, argument jsonb) returns uuid
language plpgsql stable set search_path = '' as $$
begin
  return (
    select m.conversation_id
      from jsonb_array_elements_text(argument -> 'candidates') with ordinality as c (digest, place)
      cross join lateral (
        select conversation_id from public.messages
          where user_id = p_user_id and digest = decode(c.digest, 'hex') and status is not null
          order by created_at desc limit 1
      ) m
      order by c.place limit 1);
end $$;
