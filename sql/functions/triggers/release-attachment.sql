-- Deletes an attachment with the last message of its user that holds it, unless it is a document's original.
create or replace function public.chat_release_attachment() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  -- One at a time: two that each delete one of the last two messages would both find the other's.
  perform 1 from public.attachments a
    where a.id = old.attachment_id and a.user_id is not distinct from old.user_id for update;
  if found then
    delete from public.attachments a
      where a.id = old.attachment_id and not exists (
        select from public.message_attachments m
          where m.attachment_id = a.id and m.user_id is not distinct from a.user_id)
        and not exists (select from public.documents d where d.id = a.id);
  end if;
  return null;
end $$;
