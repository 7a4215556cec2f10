create trigger message_attachments_release after delete on public.message_attachments
  for each row execute function public.chat_release_attachment();

create trigger attachments_delete_object after delete on public.attachments
  for each row when (old.object_path is not null) execute function public.chat_delete_object();
