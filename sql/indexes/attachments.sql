create index attachments_owner_idx on public.attachments (user_id);

create index attachments_unused_idx on public.attachments (created_at) where not is_used;

create index message_attachments_attachment_idx on public.message_attachments (attachment_id);
