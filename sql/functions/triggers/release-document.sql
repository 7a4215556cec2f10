-- Deletes the original of a deleted document.
create or replace function public.chat_release_document() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  delete from public.attachments a where a.id = old.id and a.user_id is not distinct from old.user_id;
  return null;
end $$;
