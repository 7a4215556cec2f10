-- Adds rows of the old service to the message tree, in their order, below what the conversation already
-- holds.
-- @param argument as in chat_save_messages: addresses, step_bytes
-- @returns null once all rows are in the tree, else {unaddressed}
create or replace function foreword.adopt_old_rows(p_conversation_id uuid, p_owner uuid, argument jsonb)
  returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_addresses jsonb := coalesce(argument -> 'addresses', '{}');
  v_parent uuid;
  v_digest bytea;
  v_id uuid;
begin
  if argument ->> 'step_bytes' is null and exists (
    select from public.messages m where m.conversation_id = p_conversation_id and m.digest is null
      and not v_addresses ? m.id::text
  ) then
    return (
      select jsonb_build_object('unaddressed', jsonb_agg(
        jsonb_build_object('id', m.id, 'role', m.role, 'content', coalesce(m.content, ''))))
      from public.messages m where m.conversation_id = p_conversation_id and m.digest is null
    );
  end if;
  select m.id, m.digest into v_parent, v_digest
    from public.conversations c join public.messages m on m.id = c.leaf_id and m.conversation_id = c.id
    where c.id = p_conversation_id;
  v_digest := coalesce(v_digest, '');
  for v_id in
    select m.id from public.messages m where m.conversation_id = p_conversation_id and m.digest is null
      order by m.created_at, m.id
  loop
    exit when not v_addresses ? v_id::text;
    v_digest := sha256(v_digest || decode(v_addresses ->> v_id::text, 'hex'));
    if exists (select from public.messages where conversation_id = p_conversation_id
      and digest = v_digest) then
      -- The same text is stored already: it keeps a row of its own.
      v_digest := sha256(v_digest || uuid_send(v_id));
    end if;
    update public.messages set digest = v_digest, parent_id = v_parent, user_id = p_owner,
      metadata = foreword.to_object(metadata) || case when metadata ? 'images_count'
        then '{"images_unknown": true}' else '{}' end::jsonb
      where id = v_id;
    v_parent := v_id;
  end loop;
  if not exists (select from public.messages where conversation_id = p_conversation_id
    and digest is null) then
    return null;
  end if;
  -- The next rows go below these. One is sent whatever its size; text that no server wrote is cut.
  update public.conversations set leaf_id = v_parent where id = p_conversation_id and v_parent is not null;
  return (
    select jsonb_build_object('unaddressed', jsonb_agg(
      jsonb_build_object('id', m.id, 'role', m.role, 'content', coalesce(m.content, '')) order by m.place))
    from (
      select n.id, n.role,
        case when octet_length(n.content) > 4194304 then left(n.content, 1048576)
          else n.content end as content,
        row_number() over (order by n.created_at, n.id) as place,
        sum(least(octet_length(coalesce(n.content, '')), 4194304)) over (order by n.created_at, n.id) as bytes
      from (
        select * from public.messages o where o.conversation_id = p_conversation_id and o.digest is null
          order by o.created_at, o.id limit 500
      ) n
    ) m
    where m.place = 1 or m.bytes <= (argument ->> 'step_bytes')::bigint
  );
end $$;
