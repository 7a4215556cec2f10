-- Returns whether the attachments of a begin are more than its user may have.
-- @param argument as in chat_begin_turn
create or replace function foreword.exceeds_attachments(argument jsonb) returns boolean
language sql stable set search_path = '' as $$
  select coalesce(sum(item.size_bytes), 0) > 0 and coalesce(sum(item.size_bytes), 0)
      + (select coalesce(sum(a.size_bytes), 0) from public.attachments a
        where a.user_id = (argument #>> '{conversation,user_id}')::uuid)
      > (argument ->> 'max_attachment_bytes')::bigint
    from jsonb_to_recordset(argument -> 'attachments') as item (id uuid, size_bytes bigint)
    where not exists (select from public.attachments a where a.id = item.id)
$$;
