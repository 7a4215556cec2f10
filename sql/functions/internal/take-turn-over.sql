-- Moves the rows of a turn's own conversation into one that its client has created for them, and returns the
-- new leaf; null if there is no such turn, or no user: of two strangers with equal chats, one would lose
-- theirs. The path of the client's conversation with the messages it adds is then the path that the turn's
-- conversation shows, and nothing of either is lost.
-- @param p_id the conversation, locked; p_leaf_id its leaf; p_path the messages to add, as in
--   chat_save_messages
create or replace function foreword.take_turn_over(p_id uuid, p_user_id uuid, p_leaf_id uuid, p_path jsonb)
  returns uuid
language plpgsql set search_path = '' as $$
declare
  v_digest bytea := coalesce((select m.digest from public.messages m where m.id = p_leaf_id), '');
  v_item jsonb;
  v_from uuid;
  v_leaf uuid;
  v_shown uuid[];
begin
  if p_user_id is null or exists (select from public.turns t where t.conversation_id = p_id) then
    return null;
  end if;
  for v_item in select value from jsonb_array_elements(p_path) loop
    v_digest := sha256(v_digest || decode(v_item #>> '{digests,0}', 'hex'));
  end loop;
  select c.id, m.id into v_from, v_leaf
    from public.messages m join public.conversations c on c.id = m.conversation_id and c.leaf_id = m.id
      join public.turns t on t.message_id = m.id
    where m.user_id is not distinct from p_user_id and m.digest = v_digest and m.conversation_id <> p_id
      and c.user_id is not distinct from p_user_id and c.chat_id is null
      -- Only of a client that has not been told of this conversation.
      and t.request is not null and t.request ->> 'conversation' is null
      and t.ended_at > clock_timestamp() - interval '1 hour'
    order by m.created_at desc limit 1;
  if v_from is null then
    return null;
  end if;
  perform 1 from public.conversations c where c.id = v_from for update;
  with recursive shown as (
    select m.id, m.parent_id, 1 as place from public.messages m where m.id = v_leaf
    union all
    select m.id, m.parent_id, s.place + 1 from shown s
      cross join lateral (select * from public.messages message where message.id = s.parent_id limit 1) m
      where s.place < 1000
  ) select array_agg(id) into v_shown from shown;
  if exists (select from public.messages m where m.conversation_id = v_from and not m.id = any (v_shown)
      and not coalesce(m.metadata ? 'superseded_by', false))
    or exists (select from public.turns t where t.conversation_id = v_from
      and (t.status in ('running', 'waiting') or t.request is null))
    or exists (select from public.messages m where m.conversation_id = p_id and m.digest not in (
      select s.digest from public.messages s where s.id = any (v_shown)))
    or not exists (select from public.conversations c where c.id = v_from and c.leaf_id = v_leaf)
  then
    return null;
  end if;
  delete from public.messages where conversation_id = p_id;
  update public.messages set conversation_id = p_id where conversation_id = v_from;
  update public.turns set conversation_id = p_id where conversation_id = v_from;
  update public.context_summaries set conversation_id = p_id where conversation_id = v_from;
  update public.conversations c set leaf_id = v_leaf, updated_at = clock_timestamp(),
      title = case when c.titled_by is null then f.title else c.title end,
      titled_by = coalesce(c.titled_by, f.titled_by)
    from public.conversations f where c.id = p_id and f.id = v_from;
  delete from public.conversations where id = v_from;
  return v_leaf;
end $$;
