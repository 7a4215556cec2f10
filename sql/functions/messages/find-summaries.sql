-- Finds the summaries of a user's paths by the digests of these paths: in whichever conversation, since
-- equal paths have equal summaries. Since version 9.
-- @param user_id or null
-- @param digests
-- @returns [{digest, text: null if there is none}]
create or replace function public.chat_find_summaries(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_user uuid := (argument ->> 'user_id')::uuid;
begin
  perform public.chat_become_caller(argument);
  -- Apart, so that each uses the index.
  if v_user is null then
    return coalesce((select jsonb_agg(jsonb_build_object('digest', d.digest, 'text', (
      select s.text from public.messages m join public.context_summaries s on s.message_id = m.id
        where m.user_id is null and m.digest = decode(d.digest, 'hex') limit 1)))
      from jsonb_array_elements_text(argument -> 'digests') d (digest)), '[]');
  end if;
  return coalesce((select jsonb_agg(jsonb_build_object('digest', d.digest, 'text', (
    select s.text from public.messages m join public.context_summaries s on s.message_id = m.id
      where m.user_id = v_user and m.digest = decode(d.digest, 'hex') limit 1)))
    from jsonb_array_elements_text(argument -> 'digests') d (digest)), '[]');
end $$;
