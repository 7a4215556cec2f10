create policy conversations_own on public.conversations for all to authenticated
  using (user_id = (select auth.uid()))
  with check (
    user_id = (select auth.uid())
    and (leaf_id is null or exists (select from public.messages m where m.id = leaf_id and m.conversation_id = public.conversations.id))
  );

create policy deleted_conversations_read_own on public.deleted_conversations for select to authenticated
  using (user_id = (select auth.uid()));
