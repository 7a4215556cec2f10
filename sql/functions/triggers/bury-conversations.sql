-- Keeps a tombstone of each deleted conversation for 30 days, so that a late write never brings it back.
create or replace function public.chat_bury_conversations() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.deleted_conversations (id, user_id) select id, user_id from gone
    on conflict (id) do update set deleted_at = excluded.deleted_at, user_id = excluded.user_id;
  delete from public.deleted_conversations where deleted_at < now() - interval '30 days';
  return null;
end $$;
