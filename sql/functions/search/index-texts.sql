-- Stores the words of texts that servers have read, and hands out texts to read: those written or changed
-- last, then the backlog. A text that was handed out is left to its reader for a minute, and twice as long
-- each further time: several servers share the work, and a text that cannot be read does not come up again
-- and again. Nothing here waits for another transaction's lock.
-- @param read [{kind: message or title, id, revision, words: a tsvector}]
-- @param limit how many texts of each kind are wanted
-- @param max_bytes of UTF-8 in all of them, at least one text; only the first 100000 characters of each count
-- @returns {texts [{kind, id, conversation_id, user_id, revision, text, is_new: whether it is not of the
--   backlog}], locked: ids of texts whose words were not stored because another transaction holds them,
--   has_more: whether further texts are available now}
create or replace function public.chat_index_texts(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set enable_seqscan = off as $$
declare
  v_limit integer := (argument ->> 'limit')::integer;
  v_bytes bigint := (argument ->> 'max_bytes')::bigint; -- left to hand out
  v_texts jsonb := '[]';
  v_locked jsonb := '[]';
  v_has_more boolean := false;
  v_now timestamptz := clock_timestamp();
  v_kind record;
  v_taken record;
begin
  perform public.chat_check_version(argument);
  -- Each search calls this, mostly with nothing to do. To plan the statements below would then take most of
  -- the time.
  if argument -> 'read' = '[]' and v_limit > 0
    and not exists (select from public.message_words w where w.words is null and w.not_before <= v_now)
    and not exists (select from public.title_words w where w.words is null and w.not_before <= v_now)
  then
    return jsonb_build_object('texts', v_texts, 'locked', v_locked, 'has_more', foreword.enter_backlog());
  end if;
  for v_kind in
    select * from (values ('title', 'public.conversations', 'title', 'id'),
      ('message', 'public.messages', 'content', 'conversation_id'))
      as k (name, source, content, conversation)
  loop
    execute format($f$
      with read as (
        select w.id, r.words
          from jsonb_to_recordset($1) as r (kind text, id uuid, revision integer, words text)
          -- With a limit the planner looks each up by its id, not among all unread texts.
          cross join lateral (select w.id, w.revision, w.words is null as is_due from public.%1$s_words w
            where w.id = r.id limit 1 for update skip locked) w
          where r.kind = %1$L and w.revision = r.revision and w.is_due
      )
      update public.%1$s_words w set words = r.words::tsvector from read r where w.id = r.id $f$, v_kind.name)
      using argument -> 'read';
    execute format($f$
      select $2 || coalesce(jsonb_agg(w.id), '[]')
        from jsonb_to_recordset($1) as r (kind text, id uuid, revision integer)
        cross join lateral (select * from public.%1$s_words w where w.id = r.id limit 1) w
        where r.kind = %1$L and w.revision = r.revision and w.words is null $f$, v_kind.name)
      into v_locked using argument -> 'read', v_locked;
    continue when v_limit = 0 or v_bytes <= 0;
    execute format($f$
      with due as materialized (
        select w.id, w.not_before from public.%1$s_words w where w.words is null and w.not_before <= $1
          order by w.not_before limit $2 for update skip locked
      ), sized as materialized (
        select d.id, d.not_before, row_number() over place as number,
          sum(least(coalesce(octet_length(s.%3$I), 0), 400000)) over place as bytes
          from due d cross join lateral (select * from %2$s s where s.id = d.id limit 1) s
          window place as (order by d.not_before, d.id)
      ), taken as (
        update public.%1$s_words w
          set attempts = w.attempts + 1,
            not_before = $1 + interval '1 minute' * power(2, least(w.attempts, 10))
          from sized d where w.id = d.id and (d.number = 1 or d.bytes <= $3)
          returning w.id, w.revision, d.not_before, d.bytes
      )
      select count(*) as count, max(t.bytes) as bytes, (select count(*) from due) as due,
        coalesce(jsonb_agg(jsonb_build_object(
          'kind', %1$L, 'id', t.id, 'conversation_id', s.%4$I, 'user_id', s.user_id, 'revision', t.revision,
          'text', coalesce(left(s.%3$I, 100000), ''), 'is_new', t.not_before = '-infinity')), '[]') as texts
        from taken t cross join lateral (select * from %2$s s where s.id = t.id limit 1) s $f$,
      v_kind.name, v_kind.source, v_kind.content, v_kind.conversation)
      into v_taken using v_now, v_limit, v_bytes;
    v_texts := v_texts || v_taken.texts;
    v_bytes := v_bytes - coalesce(v_taken.bytes, 0);
    v_has_more := v_has_more or v_taken.due = v_limit or v_taken.due > v_taken.count or v_bytes <= 0;
  end loop;
  if v_has_more or v_limit = 0 or v_texts <> '[]' then
    return jsonb_build_object('texts', v_texts, 'locked', v_locked, 'has_more', v_has_more
      or exists (select from public.word_backlog));
  end if;

  return jsonb_build_object('texts', v_texts, 'locked', v_locked, 'has_more', foreword.enter_backlog());
end $$;
