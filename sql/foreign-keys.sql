-- Foreign keys follow the names of the tables: each is created again if it refers to another table. A
-- message's parent is a message of the same conversation. (So is a leaf, by policy: a second foreign key
-- between the two tables would make PostgREST refuse queries that embed one in the other.)
do $$
begin
  if not exists (select from pg_constraint where conrelid = 'public.turn_pieces'::regclass
    and confrelid = 'public.turns'::regclass) then
    alter table public.turn_pieces drop constraint if exists turn_pieces_turn_fk;
    delete from public.turn_pieces p where not exists (select from public.turns t where t.id = p.turn_id);
    alter table public.turn_pieces add constraint turn_pieces_turn_fk
      foreign key (turn_id) references public.turns (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.turn_events'::regclass
    and confrelid = 'public.turns'::regclass) then
    alter table public.turn_events drop constraint if exists turn_events_turn_fk;
    delete from public.turn_events e where not exists (select from public.turns t where t.id = e.turn_id);
    alter table public.turn_events add constraint turn_events_turn_fk
      foreign key (turn_id) references public.turns (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.turn_waits'::regclass
    and confrelid = 'public.turns'::regclass) then
    alter table public.turn_waits drop constraint if exists turn_waits_turn_fk;
    delete from public.turn_waits e where not exists (select from public.turns t where t.id = e.turn_id);
    alter table public.turn_waits add constraint turn_waits_turn_fk
      foreign key (turn_id) references public.turns (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.context_summaries'::regclass
    and confrelid = 'public.messages'::regclass) then
    alter table public.context_summaries drop constraint if exists context_summaries_message_fk;
    delete from public.context_summaries s
      where not exists (select from public.messages m where m.id = s.message_id);
    alter table public.context_summaries add constraint context_summaries_message_fk
      foreign key (message_id) references public.messages (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.message_words'::regclass
    and confrelid = 'public.messages'::regclass) then
    alter table public.message_words drop constraint if exists message_words_fk;
    delete from public.message_words;
    alter table public.message_words add constraint message_words_fk
      foreign key (id) references public.messages (id) on delete cascade;
    insert into public.word_backlog (kind) values ('message')
      on conflict (kind) do update set last_id = excluded.last_id;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.title_words'::regclass
    and confrelid = 'public.conversations'::regclass) then
    alter table public.title_words drop constraint if exists title_words_fk;
    delete from public.title_words;
    alter table public.title_words add constraint title_words_fk
      foreign key (id) references public.conversations (id) on delete cascade;
    insert into public.word_backlog (kind) values ('title')
      on conflict (kind) do update set last_id = excluded.last_id;
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.message_attachments'::regclass
    and confrelid = 'public.messages'::regclass) then
    alter table public.message_attachments drop constraint if exists message_attachments_message_fk;
    delete from public.message_attachments a
      where not exists (select from public.messages m where m.id = a.message_id);
    alter table public.message_attachments add constraint message_attachments_message_fk
      foreign key (message_id) references public.messages (id) on delete cascade;
  end if;
  if not exists (select from pg_constraint where conname = 'messages_parent_fk'
    and conrelid = 'public.messages'::regclass) then
    alter table public.messages add constraint messages_parent_fk
      foreign key (conversation_id, parent_id)
        references public.messages (conversation_id, id) on delete set null (parent_id);
  end if;
end $$;
