-- Stores attachments, or some of their bytes. Repeating it is harmless.
-- @param owner their user, or null
-- @param is_free whether to store those that no message holds yet: they go after a day if none does by then
-- @param attachments [{id, digest, text_digest, media_type, size_bytes, name, object_path: if the bytes
--   are in the bucket, first: the number of the first piece, pieces: [base64]}]
-- @returns {unused: the object paths that are not needed, as another one is stored, or no message holds the
--   attachment any more}
create or replace function public.chat_store_attachments(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' as $$
declare
  v_owner uuid := (argument ->> 'owner')::uuid;
  v_is_free boolean := coalesce((argument ->> 'is_free')::boolean, false);
  v_item jsonb;
  v_id uuid;
  v_path text;
  v_is_held boolean;
  v_unused jsonb := '[]';
begin
  perform public.chat_check_version(argument);
  delete from public.attachments where id in (
    select a.id from public.attachments a
      where not a.is_used and a.created_at < clock_timestamp() - interval '1 day'
      order by a.created_at limit 20 for update skip locked);
  for v_item in select value from jsonb_array_elements(argument -> 'attachments') order by value ->> 'id' loop
    v_id := (v_item ->> 'id')::uuid;
    -- A message that is deleted meanwhile waits, and then takes the attachment along.
    perform 1 from public.message_attachments m
      where m.attachment_id = v_id and m.user_id is not distinct from v_owner limit 1 for key share;
    v_is_held := found;
    if v_is_held or v_is_free then
      insert into public.attachments
          (id, user_id, digest, text_digest, media_type, size_bytes, name, object_path, is_used)
        values (v_id, v_owner, decode(v_item ->> 'digest', 'hex'), decode(v_item ->> 'text_digest', 'hex'),
          v_item ->> 'media_type', (v_item ->> 'size_bytes')::bigint, v_item ->> 'name',
          v_item ->> 'object_path', v_is_held)
        on conflict (id) do nothing;
      select a.object_path into v_path from public.attachments a where a.id = v_id for update;
      insert into public.attachment_pieces (attachment_id, number, data)
        select v_id, (v_item ->> 'first')::integer + p.place::integer - 1, decode(p.value, 'base64')
          from jsonb_array_elements_text(coalesce(v_item -> 'pieces', '[]')) with ordinality as p (value, place)
        on conflict (attachment_id, number) do nothing;
      update public.attachments a set stored_at = clock_timestamp()
        where a.id = v_id and a.stored_at is null and (a.object_path is not null or a.size_bytes = (
          select coalesce(sum(octet_length(p.data)), 0) from public.attachment_pieces p
            where p.attachment_id = v_id));
    end if;
    if v_item ->> 'object_path' is not null
      and (not (v_is_held or v_is_free) or v_path is distinct from v_item ->> 'object_path') then
      v_unused := v_unused || jsonb_build_array(v_item -> 'object_path');
    end if;
  end loop;
  return jsonb_build_object('unused', v_unused);
end $$;
