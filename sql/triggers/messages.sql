create trigger messages_count_new before insert on public.messages
  for each row when (new.digest is not null)
  execute function public.chat_count_path();

create trigger messages_count_moved before update of parent_id, digest on public.messages
  for each row when (new.digest is not null
    and (old.digest is null or new.parent_id is distinct from old.parent_id))
  execute function public.chat_count_path();

create trigger messages_mark_new after insert on public.messages
  for each row execute function public.chat_mark_message();

create trigger messages_mark_changed after update on public.messages
  for each row when (old.content is distinct from new.content or old.user_id is distinct from new.user_id
    or old.conversation_id is distinct from new.conversation_id)
  execute function public.chat_mark_message();

create trigger messages_attach_new after insert on public.messages
  for each row when (new.metadata ? 'attachments')
  execute function public.chat_mark_attachments();

create trigger messages_attach_changed after update on public.messages
  for each row when ((old.metadata ? 'attachments' or new.metadata ? 'attachments')
    and (old.metadata -> 'attachments' is distinct from new.metadata -> 'attachments'
      or old.user_id is distinct from new.user_id))
  execute function public.chat_mark_attachments();
