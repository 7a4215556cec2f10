-- Finds the attachments of a begin: those that its messages hold and whose bytes are not stored, and those
-- that are stored.
-- @param argument as in chat_begin_turn
-- @returns {attachments: {missing: [id], stored: [id]}}
create or replace function foreword.find_attachments(argument jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('attachments', jsonb_build_object(
      'missing', coalesce(jsonb_agg(item.id) filter (where a.id is null and exists (
        select from public.message_attachments m
          where m.attachment_id = item.id
            and m.user_id is not distinct from (argument #>> '{conversation,user_id}')::uuid)), '[]'),
      'stored', coalesce(jsonb_agg(item.id) filter (where a.id is not null), '[]')))
    from jsonb_to_recordset(argument -> 'attachments') as item (id uuid)
    left join public.attachments a on a.id = item.id and a.stored_at is not null
$$;
