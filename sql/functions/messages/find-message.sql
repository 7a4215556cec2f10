-- Finds a message by the id its client uses: the client's own id, the row's id or the turn's id.
-- @param conversation_id, id
-- @returns {id, parent_id, role}, or null; `id` is null for a reply in progress
create or replace function public.chat_find_message(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_conversation uuid := (argument ->> 'conversation_id')::uuid;
  v_text text := argument ->> 'id';
  v_id uuid;
  v_found jsonb;
begin
  select jsonb_build_object('id', m.id, 'parent_id', m.parent_id, 'role', m.role) into v_found
    from public.messages m
    where m.conversation_id = v_conversation and m.metadata ->> 'client_id' = v_text
    order by m.created_at desc limit 1;
  if v_found is null and v_text ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' then
    v_id := v_text::uuid;
    select jsonb_build_object('id', t.message_id, 'parent_id', t.parent_id, 'role', 'assistant') into v_found
      from public.turns t where t.id = v_id and t.conversation_id = v_conversation
        and (t.message_id is not null or t.status = 'running');
    if v_found is null then
      select jsonb_build_object('id', m.id, 'parent_id', m.parent_id, 'role', m.role) into v_found
        from public.messages m where m.conversation_id = v_conversation and m.id = v_id;
    end if;
  end if;
  return v_found;
end $$;
