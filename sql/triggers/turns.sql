create trigger turns_count_deleted after delete on public.turns
  referencing old table as gone for each statement execute function public.chat_count_deleted_turns();
