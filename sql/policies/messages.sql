create policy messages_read_own on public.messages for select to authenticated
  using (user_id = (select auth.uid()));

create policy messages_add_own on public.messages for insert to authenticated
  with check (
    user_id = (select auth.uid())
    and exists (select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid()))
  );

create policy messages_edit_own on public.messages for update to authenticated
  using (user_id = (select auth.uid()))
  with check (
    user_id = (select auth.uid())
    and exists (select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid()))
  );

-- The old service's policies remain beside these, and must not let users write in another user's name.
create policy messages_add_in_own_name on public.messages as restrictive for insert to authenticated
  with check (user_id is null or user_id = (select auth.uid()));

create policy messages_edit_in_own_name on public.messages as restrictive for update to authenticated
  using (user_id is null or user_id = (select auth.uid())) with check (user_id is null or user_id = (select auth.uid()));

create policy messages_delete_own on public.messages for delete to authenticated
  using (user_id = (select auth.uid()));

create policy context_summaries_read_own on public.context_summaries for select to authenticated
  using (exists (select from public.messages m where m.id = message_id and m.user_id = (select auth.uid())));
