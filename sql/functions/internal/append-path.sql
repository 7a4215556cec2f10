-- Goes down the tree as far as the path is stored, then adds the rest as a new branch, each row a microsecond
-- after the one before.
-- @param p_parent_id, p_digest where the path begins; null and '' for the root
-- @param p_skip how many messages of the path to leave out
-- @param argument as in chat_save_messages
-- @returns {message_id, digest: of the last message, is_known: whether the whole path was stored already,
--   fork_id: the message that the last one looked for follows}
create or replace function foreword.append_path(
  p_conversation_id uuid, p_owner uuid, p_parent_id uuid, p_digest bytea, p_skip integer, argument jsonb
) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_continues boolean := coalesce(jsonb_typeof(argument -> 'continue') = 'object', false);
  v_last bigint := jsonb_array_length(argument -> 'path');
  v_parent uuid := p_parent_id;
  v_digest bytea := p_digest;
  v_is_known boolean := true;
  v_found uuid;
  v_fork uuid;
  v_held uuid;
  v_text text;
  v_item record;
  v_earlier public.messages;
  v_time timestamptz := foreword.next_time(p_conversation_id); -- of the next row
begin
  for v_item in
    select e.place, e.message, e.message ->> 'role' as role, coalesce(e.message ->> 'content', '') as content,
      coalesce(e.message -> 'metadata', '{}') as metadata,
      array(select jsonb_array_elements_text(e.message -> 'digests')) as digests
    from jsonb_array_elements(argument -> 'path') with ordinality as e (message, place) where e.place > p_skip
      order by e.place
  loop
    if v_is_known and v_item.message ->> 'after' is not null then
      -- A reply that its client had seen nothing of.
      v_held := coalesce(
        (public.chat_find_message(jsonb_build_object('conversation_id', p_conversation_id, 'id',
          v_item.message ->> 'after')) ->> 'id')::uuid,
        public.chat_hold_reply(jsonb_build_object(
          'conversation_id', p_conversation_id, 'turn_id', v_item.message ->> 'after', 'parent_id', v_parent,
            'created_at', v_time)));
      v_time := v_time + interval '1 microsecond';
      v_parent := coalesce((select m.id from public.messages m where m.id = v_held
        and m.parent_id = v_parent), v_parent);
      select m.digest into v_digest from public.messages m where m.id = v_parent;
      v_digest := coalesce(v_digest, '');
    end if;
    if v_is_known then
      v_found := null;
      if v_item.message ->> 'sent_id' is not null then
        -- A reply that its client names and has seen no further than it is stored.
        select m.id into v_found from public.messages m
          where m.id = (v_item.message ->> 'sent_id')::uuid and m.conversation_id = p_conversation_id
            and m.parent_id = v_parent
            and starts_with(m.content, v_item.content)
            and (v_item.message ->> 'tools_digest' is null
              or m.metadata ->> 'tools_digest' = v_item.message ->> 'tools_digest');
      end if;
      -- One look-up a digest, not a join: without statistics a join reads the whole conversation.
      foreach v_text in array v_item.digests loop
        exit when v_found is not null;
        select m.id into v_found from public.messages m
          where m.conversation_id = p_conversation_id
            and m.digest = sha256(v_digest || decode(v_text, 'hex'));
      end loop;
      v_found := coalesce(v_found,
        foreword.match_message(p_conversation_id, v_parent, v_item.message, v_item.place = v_last));
      if v_found is null and v_continues and v_parent is not null and v_item.place > p_skip + 1
        and v_item.message ->> 'client_id' is not null
      then
        v_found := foreword.match_below(p_conversation_id, v_parent, v_item.message);
      end if;
      if v_found is null and v_item.message ->> 'sent_id' is not null then
        if exists (select from public.turns t where t.id = (v_item.message ->> 'sent_id')::uuid
          and t.status in ('running', 'waiting'))
        then
          -- A reply in progress.
          v_found := public.chat_hold_reply(jsonb_build_object(
            'conversation_id', p_conversation_id, 'turn_id', v_item.message ->> 'sent_id', 'parent_id',
              v_parent,
            'content', v_item.content, 'metadata', v_item.metadata, 'digest', v_item.digests[1], 'created_at',
              v_time));
          v_time := v_time + interval '1 microsecond';
        end if;
      end if;
      if v_found is null and v_continues and v_item.role = 'user' then
        -- Sent before its client knew of the reply to its message before: it follows that reply.
        select m.id into v_found from public.messages r
          join lateral unnest(v_item.digests) as d (digest) on true
          join public.messages m on m.conversation_id = p_conversation_id
            and m.digest = sha256(r.digest || decode(d.digest, 'hex'))
          where r.conversation_id = p_conversation_id and r.parent_id = v_parent and r.role = 'assistant'
            limit 1;
        if v_found is null then
          v_held := foreword.find_unseen_reply(p_conversation_id, v_parent, v_time);
          if v_held is not null then
            select m.id, m.digest into v_parent, v_digest from public.messages m where m.id = v_held;
            v_time := v_time + interval '1 microsecond';
          end if;
        end if;
      end if;
      v_is_known := v_found is not null;
      v_fork := v_parent;
    end if;
    if v_is_known then
      if not coalesce((argument ->> 'late')::boolean, false) then
        -- A message whose content its user has deleted, and sends again.
        update public.messages m set content = v_item.content,
            metadata = (foreword.to_object(m.metadata) - array['is_edited', 'erased']) || v_item.metadata
          where m.id = v_found and m.metadata ? 'is_edited' and coalesce(m.content, '') = ''
            and v_item.content <> '';
      end if;
      select m.id, m.digest into v_parent, v_digest from public.messages m where m.id = v_found;
    else
      v_earlier := null;
      if jsonb_typeof(v_item.message -> 'earlier_digests') = 'array' then
        select * into v_earlier from public.messages m
          where m.id = foreword.find_earlier_reply(p_conversation_id, v_parent, v_item.message);
      end if;
      v_digest := sha256(v_digest || decode(v_item.digests[1], 'hex'));
      insert into public.messages (id, conversation_id, user_id, parent_id, role, content, metadata, status,
        digest, created_at)
        values (
          (v_item.message ->> 'id')::uuid, p_conversation_id, p_owner, v_parent, v_item.role, v_item.content,
          -- A reply whose turn still waits in another process's journal: its end finds the row by this.
          case when v_earlier.id is null then v_item.metadata
            else foreword.add_results(v_earlier.metadata, v_item.metadata) end
          || case when v_item.role = 'assistant' and v_item.message ->> 'sent_id' is not null
            then jsonb_build_object('reply_of', v_item.message ->> 'sent_id') else '{}' end,
          v_item.message ->> 'status', v_digest, v_time
        );
      v_parent := (v_item.message ->> 'id')::uuid;
      if v_earlier.id is not null then
        update public.messages set metadata = foreword.to_object(metadata)
          || jsonb_build_object('superseded_by', v_parent)
          where id = v_earlier.id and not metadata ? 'superseded_by';
      end if;
      v_time := v_time + interval '1 microsecond';
    end if;
  end loop;
  return jsonb_build_object(
    'message_id', v_parent, 'digest', encode(v_digest, 'hex'), 'is_known', v_is_known, 'fork_id', v_fork);
end $$;
