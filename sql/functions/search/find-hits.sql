-- Returns the message of each conversation that a search has found, and its text: the newest of those that
-- match, among some hundred. Words are looked up as the service, as in chat_search_conversations, and within
-- a second; texts are read as the user.
-- @param user_id or null
-- @param conversation_ids the conversations, the most important first
-- @param match, likely as in chat_search_conversations
-- @param max_bytes of UTF-8 in all texts, of which only the first 100000 characters count; the texts after
--   these are cut to 2000 characters
-- @returns [{conversation_id, message_id, text}] without conversations whose title alone matches
create or replace function public.chat_find_hits(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  c_most_read constant integer := 200; -- in one conversation
  v_match tsquery := (argument ->> 'match')::tsquery;
  v_owner tsquery := quote_literal(' owner '
    || coalesce((argument ->> 'user_id')::uuid::text, 'nobody'))::tsquery;
  v_likely tsquery := (argument ->> 'likely')::tsquery;
  v_ends timestamptz := clock_timestamp() + interval '1 second';
  v_conversation uuid;
  v_within tsquery;
  v_id uuid;
  v_ids uuid[] := '{}';
begin
  perform public.chat_check_version(argument);
  foreach v_conversation in array array(
    select value::uuid from jsonb_array_elements_text(argument -> 'conversation_ids')) loop
    v_within := quote_literal(' conversation ' || v_conversation)::tsquery;
    if v_likely is not null then
      v_within := v_likely && v_within;
    end if;
    -- The owner's lexeme is in all the user's texts. To look it up would take most of the time, and these
    -- rows are few: their words are compared with it ("is true" keeps the planner from using the index).
    select m.id into v_id
      from (select w.id, w.words from public.message_words w
        where w.words @@ v_within and (w.words @@ v_owner) is true limit c_most_read) w
      cross join lateral (select * from public.messages message where message.id = w.id limit 1) m
      where w.words @@ v_match and m.conversation_id = v_conversation
      order by m.created_at desc, m.id desc limit 1;
    if found then
      v_ids := v_ids || v_id;
    end if;
    exit when clock_timestamp() > v_ends;
  end loop;
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(jsonb_build_object('conversation_id', s.conversation_id, 'message_id', s.id,
      'text', coalesce(left(s.content, case when s.bytes <= (argument ->> 'max_bytes')::bigint then 100000
        else 2000 end), '')) order by s.place)
      from (select m.conversation_id, m.id, m.content, l.place,
        sum(least(coalesce(octet_length(m.content), 0), 400000)) over (order by l.place) as bytes
        from unnest(v_ids) with ordinality as l (id, place)
        cross join lateral (select * from public.messages message where message.id = l.id limit 1) m) s
  ), '[]');
end $$;
