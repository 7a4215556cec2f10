create trigger conversations_bury after delete on public.conversations
  referencing old table as gone for each statement execute function public.chat_bury_conversations();

create trigger conversations_mark_new after insert on public.conversations
  for each row execute function public.chat_mark_title();

create trigger conversations_mark_changed after update on public.conversations
  for each row when (old.title is distinct from new.title or old.user_id is distinct from new.user_id)
  execute function public.chat_mark_title();
