-- Stores passages of a document that was taken to be read, and how far the reading is. It may be repeated,
-- and it replaces the passages of an earlier reading. Since version 11.
-- @param document_id, lease_id, lease_ms as in chat_take_document
-- @param passages [{ordinal, page, heading, text, words: a tsvector}]
-- @param pages_read, pages, passage_count, word_count in all so far
-- @param max_passages of the document's user, in all
-- @param end null, or {state, error_code}: `ready`, `failed` or, to give the lease back, `waiting`
-- @param max_deleted about how many passages of an earlier reading are deleted at most
-- @returns {is_held: whether the reading is still this lease's, is_full: whether nothing was stored because
--   the user has no room, more: whether to end it again, because passages are left to delete}
create or replace function public.chat_save_passages(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  v_document public.documents;
  v_count integer := (argument ->> 'passage_count')::integer;
  v_state text := argument #>> '{end,state}';
  v_used bigint;
  v_deleted integer;
begin
  perform public.chat_check_version(argument);
  select * into v_document from public.documents d
    where d.id = (argument ->> 'document_id')::uuid and d.lease_id = (argument ->> 'lease_id')::uuid
      and d.state = 'waiting' for update;
  if not found then
    return '{"is_held": false, "is_full": false, "more": false}';
  end if;
  if v_state = 'waiting' then
    update public.documents d set lease_id = null, lease_until = null, attempts = d.attempts - 1
      where d.id = v_document.id;
    return '{"is_held": true, "is_full": false, "more": false}';
  end if;
  if jsonb_array_length(argument -> 'passages') > 0 then
    select coalesce(sum(d.passage_count), 0) into v_used
      from public.knowledge_bases b join public.documents d on d.knowledge_base_id = b.id
      where d.id <> v_document.id
        and (b.user_id = v_document.user_id or (v_document.user_id is null and b.user_id is null));
    if v_used + v_count > (argument ->> 'max_passages')::integer then
      return '{"is_held": true, "is_full": true, "more": false}';
    end if;
    insert into public.passages as p
        (document_id, ordinal, user_id, knowledge_base_id, page, heading, text, words)
      select v_document.id, n.ordinal, v_document.user_id, v_document.knowledge_base_id, n.page, n.heading,
          n.text, n.words::tsvector
        from jsonb_to_recordset(argument -> 'passages')
          as n (ordinal integer, page integer, heading text, text text, words text)
      on conflict (document_id, ordinal) do update
        set page = excluded.page, heading = excluded.heading, text = excluded.text, words = excluded.words
        where (p.page, p.heading, p.text, p.words)
          is distinct from (excluded.page, excluded.heading, excluded.text, excluded.words);
  end if;
  if v_state is not null then
    delete from public.passages where (document_id, ordinal) in (
      select p.document_id, p.ordinal from public.passages p
        where p.document_id = v_document.id and (v_state = 'failed' or p.ordinal >= v_count)
        limit (argument ->> 'max_deleted')::integer);
    get diagnostics v_deleted = row_count;
    if v_deleted >= (argument ->> 'max_deleted')::integer then
      return '{"is_held": true, "is_full": false, "more": true}';
    end if;
  end if;
  update public.documents d
    set pages_read = (argument ->> 'pages_read')::integer, pages = (argument ->> 'pages')::integer,
      passage_count = case when v_state = 'failed' then 0 else v_count end,
      word_count = case when v_state = 'failed' then 0 else (argument ->> 'word_count')::integer end,
      state = coalesce(v_state, 'waiting'), error_code = argument #>> '{end,error_code}',
      lease_id = case when v_state is null then d.lease_id end,
      lease_until = case when v_state is null
        then clock_timestamp() + (argument ->> 'lease_ms')::integer * interval '1 millisecond' end
    where d.id = v_document.id;
  return '{"is_held": true, "is_full": false, "more": false}';
end $$;
