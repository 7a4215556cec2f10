-- Adds messages below the leaf of a conversation of the user. Messages that the end of the shown path already
-- is are not added again. Nor are those of a turn whose client keeps a conversation of its own: if the
-- conversation has no turn, and its path with these messages is all that the conversation of a new turn
-- shows, it takes that one's rows over.
-- @param conversation {id, is_named, user_id, age_ms}, path, addresses, step_bytes: as in chat_save_messages
-- @param attachments, max_attachment_bytes as in chat_begin_turn
-- @returns what chat_save_messages returns, and {message_ids: of the path}, and {attachments} as in
--   chat_begin_turn; {full} as there; or {missing_path} if the user has no such conversation
create or replace function public.chat_add_messages(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_id uuid := (argument #>> '{conversation,id}')::uuid;
  v_user uuid := (argument #>> '{conversation,user_id}')::uuid;
  v_path jsonb := argument -> 'path';
  v_count integer := jsonb_array_length(argument -> 'path');
  v_end public.messages[] := '{}'; -- of the shown path, oldest first
  v_message public.messages;
  v_digest bytea;
  v_next uuid;
  v_known integer;
  v_ids uuid[];
  v_saved jsonb;
  v_has_attachments boolean := coalesce(jsonb_typeof(argument -> 'attachments') = 'array', false);
begin
  perform public.chat_check_version(argument);
  select c.leaf_id into v_next from public.conversations c
    where c.id = v_id and c.user_id is not distinct from v_user for update;
  if not found then
    return jsonb_build_object('missing_path', true);
  end if;
  if v_has_attachments and foreword.exceeds_attachments(argument) then
    return jsonb_build_object('full', true);
  end if;
  v_next := coalesce(foreword.take_turn_over(v_id, v_user, v_next, v_path), v_next);
  while v_next is not null and cardinality(v_end) <= v_count loop
    select * into v_message from public.messages m where m.id = v_next and m.conversation_id = v_id;
    exit when v_message.id is null;
    v_end := array_prepend(v_message, v_end);
    v_next := v_message.parent_id;
  end loop;
  v_known := least(cardinality(v_end), v_count);
  while v_known > 0 loop
    exit when not exists (
      select from generate_series(1, v_known) as n,
        lateral (select v_path -> (n - 1) as item, (v_end[cardinality(v_end) - v_known + n]).*) m
        where m.role is distinct from m.item ->> 'role' or not (
          (m.content = m.item ->> 'content' and not m.metadata ? 'attachments'
            and m.metadata ->> 'tools_digest' is not distinct from m.item ->> 'tools_digest')
          or exists (select from jsonb_array_elements_text(m.item -> 'digests') d
            where m.digest = sha256(coalesce((select p.digest from public.messages p where p.id = m.parent_id), '')
              || decode(d, 'hex')))));
    v_known := v_known - 1;
  end loop;
  v_ids := array(select (e).id from unnest(v_end[cardinality(v_end) - v_known + 1 :]) as e);
  if v_known = v_count then
    return jsonb_build_object('conversation_id', v_id, 'digest',
      encode((v_end[cardinality(v_end)]).digest, 'hex'), 'message_ids', v_ids);
  end if;

  v_saved := public.chat_save_messages(argument || jsonb_build_object('anchor', null, 'candidates', '[]'::jsonb,
    'path', (select jsonb_agg(e.item order by e.place) from jsonb_array_elements(v_path) with ordinality
      as e (item, place) where e.place > v_known),
    'continue', '{"mode": "leaf", "must_exist": true}'::jsonb));
  if v_saved ? 'message_id' then
    v_next := (v_saved ->> 'message_id')::uuid;
    for v_place in v_known + 1 .. v_count loop
      v_ids[v_known + 1 + v_count - v_place] := v_next;
      select m.parent_id into v_next from public.messages m where m.id = v_next;
    end loop;
    v_saved := v_saved || jsonb_build_object('message_ids', v_ids)
      || case when v_has_attachments then foreword.find_attachments(argument) else '{}' end;
  end if;
  return v_saved;
end $$;
