create policy knowledge_bases_read_own on public.knowledge_bases for select to authenticated
  using (user_id = (select auth.uid()));

create policy documents_read_own on public.documents for select to authenticated
  using (user_id = (select auth.uid()));

create policy passages_read_own on public.passages for select to authenticated
  using (user_id = (select auth.uid()));

create policy passage_vectors_read_own on public.passage_vectors for select to authenticated
  using (user_id = (select auth.uid()));
