-- Counts the bytes of the path before a message that is added to the tree, or moved in it.
create or replace function public.chat_count_path() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_relid = 'public.messages'::regclass then -- not a table that had this name before
    new.path_bytes := foreword.path_bytes(new.parent_id);
  end if;
  return new;
end $$;
