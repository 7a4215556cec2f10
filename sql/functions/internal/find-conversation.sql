-- Finds the conversation that messages go to, creates it if it is new, and locks it: a conversation has one
-- writer at a time.
-- @param as in chat_save_messages
-- @returns {id, user_id: its owner}, or a refusal as chat_save_messages returns it
create or replace function foreword.find_conversation(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_user uuid := coalesce(auth.uid(), (argument #>> '{conversation,user_id}')::uuid);
  v_chat text := argument #>> '{conversation,chat_id}';
  v_must_own boolean := coalesce((argument #>> '{conversation,must_own}')::boolean, false);
  v_must_exist boolean := coalesce((argument #>> '{continue,must_exist}')::boolean, false)
    and not coalesce((argument ->> 'late')::boolean, false);
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_found uuid;
  v_owner uuid;
  v_refusal jsonb;
begin
  if not (argument #>> '{conversation,is_named}')::boolean and v_user is not null then
    v_found := foreword.find_candidate(v_user, argument);
    v_id := coalesce(v_found, v_id);
  end if;
  if v_chat is not null then
    -- Created once.
    perform pg_advisory_xact_lock(hashtextextended(format('foreword chat %s %s', v_user, v_chat), 0));
    v_id := coalesce(public.chat_find_chat(argument), gen_random_uuid());
  end if;

  select c.id, c.user_id into v_found, v_owner from public.conversations c where c.id = v_id for update;
  if v_owner <> v_user or (v_found is not null and v_must_own and v_owner is distinct from v_user) then
    -- Another user's conversation is not touched: the turn gets its own. The id is derived from the turn's,
    -- so that the same begin finds it again, and as a UUID of version 8 it is none that a client could
    -- choose.
    v_id := coalesce(
      overlay(overlay(encode(substr(sha256(convert_to('foreword ' || (argument #>> '{turn,id}'), 'utf8')), 1,
        16), 'hex')
        placing '8' from 13) placing '8' from 17)::uuid,
      gen_random_uuid());
    select c.id, c.user_id into v_found, v_owner from public.conversations c where c.id = v_id for update;
  end if;
  if v_must_exist and (v_found is null or v_owner is distinct from v_user) then
    return jsonb_build_object('missing_path', true);
  end if;
  if v_found is null then
    v_refusal := foreword.create_conversation(v_id, v_user, argument);
    if v_refusal is not null then
      return v_refusal;
    end if;
    select c.user_id into v_owner from public.conversations c where c.id = v_id for update;
  end if;
  return jsonb_build_object('id', v_id, 'user_id', v_owner);
end $$;
