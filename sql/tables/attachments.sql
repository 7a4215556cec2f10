-- The images and PDFs of messages: each once for its user, whatever the number of messages that hold it.
create table if not exists public.attachments (
  id uuid primary key, -- made of its user, media type and digest
  user_id uuid,
  digest bytea not null, -- SHA-256 of the bytes
  text_digest bytea not null, -- SHA-256 of the bytes in base64, which digests of messages count
  media_type text not null,
  size_bytes bigint not null,
  name text, -- of the file that came first
  object_path text, -- in a bucket of Supabase Storage; null if the bytes are in attachment_pieces
  is_used boolean not null default false, -- whether a message has held it
  stored_at timestamptz, -- null until all bytes are stored
  created_at timestamptz not null default now()
);
create table if not exists public.attachment_pieces (
  attachment_id uuid not null references public.attachments (id) on delete cascade,
  number integer not null,
  data bytea not null, -- 262,143 bytes, but for the last piece
  primary key (attachment_id, number)
);
-- The attachments that messages hold, as their metadata says. An attachment goes with the last message of its
-- user that holds it.
create table if not exists public.message_attachments (
  message_id uuid not null,
  attachment_id uuid not null,
  user_id uuid, -- the message's
  primary key (message_id, attachment_id)
);
-- Objects of attachments that are gone. Servers delete them from the bucket.
create table if not exists public.deleted_objects (
  path text primary key,
  deleted_at timestamptz not null default now()
);
