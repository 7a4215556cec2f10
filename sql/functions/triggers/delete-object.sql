-- Remembers the object of a deleted attachment until a server has deleted it, too.
create or replace function public.chat_delete_object() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.deleted_objects (path) values (old.object_path) on conflict (path) do nothing;
  return null;
end $$;
