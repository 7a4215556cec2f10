-- Tables that only the service uses. Users could otherwise store any number of words, and false ones.
create policy request_counts_none on public.request_counts for all to authenticated
  using (false) with check (false);

create policy turn_waits_none on public.turn_waits for all to authenticated using (false) with check (false);

create policy deleted_turns_none on public.deleted_turns for all to authenticated using (false)
  with check (false);

create policy daily_costs_none on public.daily_costs for all to authenticated using (false) with check (false);

create policy message_words_none on public.message_words for all to authenticated using (false) with check (false);

create policy title_words_none on public.title_words for all to authenticated using (false) with check (false);

create policy word_backlog_none on public.word_backlog for all to authenticated using (false) with check (false);

create policy schema_steps_none on foreword.schema_steps for all to authenticated using (false)
  with check (false);
