-- Returns attachments of the user, and some of their bytes.
-- @param user_id null for unowned attachments
-- @param parts [{id, first, count: of pieces}]
-- @returns [{id, media_type, size_bytes, digest, text_digest, name, object_path, pieces: [base64]}] in the
--   order of `parts`, without those that do not exist or belong to another user
create or replace function public.chat_read_attachments(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(jsonb_build_object(
        'id', a.id, 'media_type', a.media_type, 'size_bytes', a.size_bytes, 'digest', encode(a.digest, 'hex'),
        'text_digest', encode(a.text_digest, 'hex'), 'name', a.name, 'object_path', a.object_path,
        'pieces', (
          select coalesce(jsonb_agg(translate(encode(d.data, 'base64'), E'\n', '') order by d.number), '[]')
            from public.attachment_pieces d
            where d.attachment_id = a.id and d.number >= (p.part ->> 'first')::integer
              and d.number < (p.part ->> 'first')::integer + (p.part ->> 'count')::integer)
      ) order by p.place)
    from jsonb_array_elements(argument -> 'parts') with ordinality as p (part, place)
    join public.attachments a on a.id = (p.part ->> 'id')::uuid
    where a.user_id is not distinct from (argument ->> 'user_id')::uuid and a.stored_at is not null
  ), '[]');
end $$;
