create policy attachments_read_own on public.attachments for select to authenticated
  using (user_id = (select auth.uid()));

create policy attachment_pieces_read_own on public.attachment_pieces for select to authenticated
  using (exists (select from public.attachments a where a.id = attachment_id and a.user_id = (select auth.uid())));

create policy message_attachments_read_own on public.message_attachments for select to authenticated
  using (user_id = (select auth.uid()));

create policy deleted_objects_none on public.deleted_objects for all to authenticated using (false)
  with check (false);
