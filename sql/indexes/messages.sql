create index messages_order_idx on public.messages (conversation_id, created_at);

create unique index messages_id_idx on public.messages (conversation_id, id);

create unique index messages_digest_idx on public.messages (conversation_id, digest);

create index messages_parent_idx on public.messages (conversation_id, parent_id);

create index messages_client_idx on public.messages (conversation_id, (metadata ->> 'client_id'))
  where metadata ->> 'client_id' is not null;

create index messages_user_idx on public.messages (user_id, digest);

create index context_summaries_conversation_idx on public.context_summaries (conversation_id);
