-- Tries to write the rows of a turn, and leaves none: fails as the begin of a turn would.
-- @param schema_version
create or replace function public.chat_try_write(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '500ms' as $$
declare
  v_id uuid := gen_random_uuid();
begin
  perform public.chat_check_version(argument);
  begin
    insert into public.conversations (id, title) values (v_id, '');
    insert into public.messages (id, conversation_id, role, content) values (v_id, v_id, 'user', '');
    insert into public.turns (id, conversation_id) values (v_id, v_id);
    insert into public.turn_pieces (turn_id, position, text) values (v_id, 0, '');
    raise exception 'all of them can be written' using errcode = 'FW003';
  exception when sqlstate 'FW003' then null; -- takes the rows back
  end;
  return '{"written": true}';
end $$;
