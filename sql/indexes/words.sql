-- Words, owner and conversation are found through one index, so that a search costs as much as its user
-- has written, and some of the user's conversations can be searched without the others. Without
-- fastupdate: every search would read the whole list of pending entries, up to 4 MB.
create index message_words_idx on public.message_words using gin (words) with (fastupdate = off)
  where words is not null;

create index title_words_idx on public.title_words using gin (words) with (fastupdate = off)
  where words is not null;

create index message_words_due_idx on public.message_words (not_before) where words is null;

create index title_words_due_idx on public.title_words (not_before) where words is null;
