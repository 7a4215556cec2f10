-- Returns the whole reply of a turn that goes on with an earlier one, if its end knows only its own part,
-- since its process is gone.
-- @param p_content, p_metadata of this part
-- @returns {content, metadata}, or null for other turns
create or replace function foreword.continue_reply(
  p_turn_id uuid, p_conversation_id uuid, p_parent_id uuid, p_content text, p_metadata jsonb
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_row public.messages;
  v_text text;
  v_calls jsonb;
  v_length integer;
begin
  select m.* into v_row from public.messages m
    where m.conversation_id = p_conversation_id and m.parent_id = p_parent_id and m.role = 'assistant'
      and jsonb_typeof(m.metadata #> '{extended,chars}') = 'number'
      and jsonb_typeof(m.metadata #> '{extended,calls}') = 'number'
      and ((m.status is null and (m.id = p_turn_id or m.metadata ->> 'reply_of' = p_turn_id::text))
        or m.id = (select t.message_id from public.turns t where t.id = p_turn_id))
    order by m.created_at desc limit 1;
  if v_row.id is null then
    return null;
  end if;
  -- Users may have changed the numbers.
  v_text := left(v_row.content,
    greatest(least((v_row.metadata #>> '{extended,chars}')::numeric, length(v_row.content)), 0)::integer);
  select coalesce(jsonb_agg(t.tool order by t.place), '[]') into v_calls
    from jsonb_array_elements(case when jsonb_typeof(v_row.metadata -> 'tools') = 'array'
      then v_row.metadata -> 'tools' else '[]' end) with ordinality as t (tool, place)
    where t.place <= (v_row.metadata #>> '{extended,calls}')::numeric;
  -- In UTF-16 code units: a character past U+FFFF has two.
  v_length := length(v_text) + case current_setting('server_encoding')
      when 'UTF8' then length(regexp_replace(v_text, '[\u0001-\uFFFF]', '', 'g')) else 0 end
    + case when v_text = '' or coalesce(p_content, '') = '' then 0 else 2 end;
  return jsonb_build_object(
    'content', concat_ws(E'\n\n', nullif(v_text, ''), nullif(p_content, '')),
    'metadata', jsonb_strip_nulls(jsonb_build_object('plan', v_row.metadata -> 'plan'))
      || (coalesce(p_metadata, '{}') - 'tools_digest' - 'plan') || jsonb_build_object(
      'extended', v_row.metadata -> 'extended', 'tools', v_calls || coalesce((
        select jsonb_agg(t.tool || jsonb_build_object('at', (t.tool ->> 'at')::integer + v_length,
          'step', (t.tool ->> 'step')::integer + jsonb_array_length(v_calls)) order by t.place)
        from jsonb_array_elements(p_metadata -> 'tools') with ordinality as t (tool, place)), '[]'))
      || case when v_row.metadata ? 'tools_digest'
        then jsonb_build_object('tools_digest', v_row.metadata -> 'tools_digest') else '{}' end);
end $$;
