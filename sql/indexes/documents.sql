create index documents_base_idx on public.documents (knowledge_base_id, created_at desc, id desc);

create index documents_waiting_idx on public.documents (created_at) where state = 'waiting';

create index passages_words_idx on public.passages using gin (words) with (fastupdate = off);

create index documents_embedding_idx on public.documents (embedding_model, (passage_count - embedded_count))
  where state = 'ready';

create index documents_unembedded_idx on public.documents (knowledge_base_id, created_at)
  where state = 'ready' and embedding_model is null;
