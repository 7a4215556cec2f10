-- The words of messages and titles. Servers split texts into words, and the database stores and matches them:
-- it never parses a text itself, because some texts keep its parser busy for a minute. `words` is null until
-- a server has read the text, and again when the text was changed.
create table if not exists public.message_words (
  id uuid primary key, -- the message's
  conversation_id uuid not null,
  words tsvector,
  revision integer not null default 0, -- of the text
  attempts integer not null default 0, -- to read it
  -- A text that a server has just taken is left to that server.
  not_before timestamptz not null default '-infinity'
);
create table if not exists public.title_words (
  id uuid primary key, -- the conversation's
  conversation_id uuid not null, -- the same
  words tsvector,
  revision integer not null default 0,
  attempts integer not null default 0,
  not_before timestamptz not null default '-infinity'
);
-- Rows from before words were stored are entered by id, some at a time, when servers ask for texts.
create table if not exists public.word_backlog (
  kind text primary key,
  last_id uuid not null default '00000000-0000-0000-0000-000000000000'
);
