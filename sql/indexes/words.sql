-- Words, owner and conversation are found through one index, so that a search costs as much as its user
-- has written, and some of the user's conversations can be searched without the others. Every search reads
-- the whole list of entries that are not in the index proper yet, so the list is kept to about 64 kB, the
-- least that Postgres allows: 4 MB by default.
create index message_words_idx on public.message_words using gin (words)
  with (fastupdate = on, gin_pending_list_limit = 64) where words is not null;

create index title_words_idx on public.title_words using gin (words)
  with (fastupdate = on, gin_pending_list_limit = 64) where words is not null;

create index message_words_due_idx on public.message_words (not_before) where words is null;

create index title_words_due_idx on public.title_words (not_before) where words is null;
