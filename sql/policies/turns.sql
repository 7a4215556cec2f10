create policy turns_read_own on public.turns for select to authenticated
  using (user_id = (select auth.uid()));

create policy turn_pieces_read_own on public.turn_pieces for select to authenticated
  using (exists (select from public.turns t where t.id = turn_id and t.user_id = (select auth.uid())));

create policy turn_events_read_own on public.turn_events for select to authenticated
  using (exists (select from public.turns t where t.id = turn_id and t.user_id = (select auth.uid())));

create policy daily_usage_read_own on public.daily_usage for select to authenticated
  using (user_id = (select auth.uid()));
