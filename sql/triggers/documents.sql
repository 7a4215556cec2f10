create trigger documents_release after delete on public.documents
  for each row execute function public.chat_release_document();
