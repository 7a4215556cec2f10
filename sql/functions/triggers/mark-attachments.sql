-- Records the attachments that a message holds: those that its metadata lists, at most 100. Users can write
-- anything there: of another user's attachment it records nothing.
create or replace function public.chat_mark_attachments() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_ids uuid[];
begin
  if tg_relid <> 'public.messages'::regclass then -- a table that had this name before
    return null;
  end if;
  v_ids := array(
    select distinct (item ->> 'id')::uuid
      from (
        select value as item from jsonb_array_elements(
          case when jsonb_typeof(new.metadata -> 'attachments') = 'array' then new.metadata -> 'attachments'
            else '[]' end) limit 100
      ) items
      where item ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
  -- A transaction that deletes the attachment finishes first, or finds the rows below.
  perform 1 from public.attachments a where a.id = any (v_ids) order by a.id for key share;
  if tg_op = 'UPDATE' then
    delete from public.message_attachments m where m.message_id = new.id and not m.attachment_id = any (v_ids);
  end if;
  insert into public.message_attachments as m (message_id, attachment_id, user_id)
    select new.id, v.id, new.user_id from unnest(v_ids) as v (id)
      where not exists (select from public.attachments a
        where a.id = v.id and a.user_id is distinct from new.user_id)
    on conflict (message_id, attachment_id) do update set user_id = excluded.user_id
      where m.user_id is distinct from excluded.user_id;
  update public.attachments a set is_used = true
    where a.id = any (v_ids) and a.user_id is not distinct from new.user_id and not a.is_used;
  return null;
end $$;
