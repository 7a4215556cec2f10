-- Returns ids of the user's conversations whose title or messages match a search: enough for the requested
-- page to be among them, within two seconds and some ten thousand texts. It runs as the service, and the
-- owner is one of the words: behind row level security, word comparisons could not use an index.
-- @param as in chat_list_conversations
-- @param match a tsquery
-- @param likely a tsquery without phrases that finds at least as much; null for one that matches every text
create or replace function public.chat_search_conversations(argument jsonb) returns uuid[]
language plpgsql stable set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  -- An index of words has no order, and gathering 200,000 matching messages takes 200 ms. Checking one
  -- conversation takes 20 µs, which soon fills a page if a word is common. So conversations are checked
  -- newest first while they would fill the page within this number; otherwise few match, and all matches are
  -- gathered.
  c_most_asked constant integer := 1000;
  -- The index knows the words of a phrase, not their order: so many texts are gathered, and so many are
  -- compared, in one conversation or in all.
  c_most_gathered constant integer := 100000;
  c_most_read constant integer := 20000;
  v_user uuid := (argument ->> 'user_id')::uuid;
  v_limit integer := (argument ->> 'limit')::integer;
  v_match tsquery := (argument ->> 'match')::tsquery;
  v_is_phrase boolean := argument ->> 'likely' is distinct from argument ->> 'match';
  v_owner tsquery := quote_literal(' owner ' || coalesce(v_user::text, 'nobody'))::tsquery;
  v_likely tsquery := coalesce((argument ->> 'likely')::tsquery, v_owner);
  v_ends timestamptz := clock_timestamp() + interval '2 seconds';
  v_places tsquery;
  -- Twenty at once; if texts must be compared, one, and only up to its first match.
  v_step integer := case when v_is_phrase then 1 else 20 end;
  v_newest refcursor;
  v_id uuid;
  v_ids uuid[];
  v_found uuid[] := '{}';
  v_text record;
begin
  perform public.chat_check_version(argument);
  if v_match is null or numnode(v_match) = 0 then
    return v_found;
  end if;
  open v_newest no scroll for execute format($f$
    select id from public.conversations
    where %s and archived_at is %s and (updated_at, id) < ($1, $2) order by updated_at desc, id desc
      limit $3 $f$,
    case when v_user is null then 'user_id is null' else 'user_id = $4' end,
    case when (argument ->> 'is_archived')::boolean then 'not null' else 'null' end)
    using coalesce((argument #>> '{before,updated_at}')::timestamptz, 'infinity'),
      coalesce((argument #>> '{before,id}')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), c_most_asked,
        v_user;
  for v_asked in v_step .. c_most_asked by v_step loop
    v_ids := '{}';
    for v_place in 1 .. v_step loop
      fetch v_newest into v_id;
      exit when v_id is null;
      v_ids := v_ids || v_id;
    end loop;
    v_places := v_likely && (select string_agg(quote_literal(' conversation ' || id), ' | ')::tsquery
      from unnest(v_ids) id);
    -- The owner's lexeme is in all the user's texts, and takes longer to look up than the rest: within the
    -- user's own conversations, the few messages that match are asked for their owner instead.
    if v_is_phrase then
      v_found := v_found || array(
        (select w.conversation_id
          from (select * from public.message_words w where w.words @@ v_places limit c_most_read) w
          where w.words @@ v_match and w.words @@ v_owner limit 1)
        union
        select w.conversation_id from public.title_words w where w.words @@ v_places and w.words @@ v_match);
    else
      v_found := v_found || array(
        select w.conversation_id from public.message_words w
          cross join lateral (select * from public.messages message where message.id = w.id limit 1) m
          where w.words @@ v_places and m.user_id is not distinct from v_user
        union
        select w.conversation_id from public.title_words w where w.words @@ v_places);
    end if;
    if v_id is null or cardinality(v_found) > v_limit -- one more than the page: it may be moved or deleted
      or clock_timestamp() > v_ends
    then
      return v_found;
    end if;
    exit when v_asked >= 40 and cardinality(v_found) * c_most_asked < v_limit * v_asked;
  end loop;
  v_likely := v_likely && v_owner;
  if not v_is_phrase then
    return v_found || array(
      (select w.conversation_id from public.message_words w where w.words @@ v_likely limit c_most_gathered)
      union
      select w.conversation_id from public.title_words w where w.words @@ v_likely);
  end if;
  for v_text in
    (select w.conversation_id, w.words from public.message_words w where w.words @@ v_likely
      limit c_most_read)
    union all
    (select w.conversation_id, w.words from public.title_words w where w.words @@ v_likely limit c_most_read)
  loop
    if v_text.words @@ v_match then
      v_found := v_found || v_text.conversation_id;
    end if;
    exit when clock_timestamp() > v_ends;
  end loop;
  return v_found;
end $$;
