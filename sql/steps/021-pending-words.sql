-- version 12
-- on public.message_words
-- New words are added to the index many at a time.
do $do$
declare
  v_name text;
begin
  foreach v_name in array array['public.title_words_idx', 'public.message_words_idx'] loop
    if exists (select from pg_class c where c.oid = to_regclass(v_name)
      and not coalesce(c.reloptions @> array['gin_pending_list_limit=64'], false))
    then
      execute format('alter index %s set (fastupdate = on, gin_pending_list_limit = 64)', v_name);
    end if;
  end loop;
end $do$;
