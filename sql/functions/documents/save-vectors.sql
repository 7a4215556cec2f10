-- Stores vectors of passages that were taken to be embedded. It may be repeated. Since version 12.
-- @param document_id, lease_id, model as in chat_take_unembedded
-- @param vectors [{ordinal, vector: its text}] of length 1
-- @param next the ordinal of the first passage without a vector, besides those that cannot have one
-- @param lease_ms how long the document is left to this lease from now on, or null to give it back
-- @returns {is_held: whether the document still was this lease's}
create or replace function public.chat_save_vectors(argument jsonb) returns jsonb
language plpgsql set search_path = '' set lock_timeout = '4s' set plan_cache_mode = force_custom_plan as $$
declare
  v_id uuid := (argument ->> 'document_id')::uuid;
  v_schema text := foreword.vector_schema();
begin
  perform public.chat_check_version(argument);
  update public.documents d
    set embedded_count = (argument ->> 'next')::integer, embedded_at = clock_timestamp(),
      embedding_lease_until = clock_timestamp() + (argument ->> 'lease_ms')::integer * interval '1 millisecond'
    where d.id = v_id and d.embedding_lease_id = (argument ->> 'lease_id')::uuid and d.state = 'ready'
      and d.embedding_model = argument ->> 'model' and v_schema is not null;
  if not found then
    return '{"is_held": false}';
  end if;
  execute format($sql$
    insert into public.passage_vectors (document_id, ordinal, user_id, knowledge_base_id, model, vector)
      select p.document_id, p.ordinal, p.user_id, p.knowledge_base_id, $3, n.vector::%I.vector
        from jsonb_to_recordset($2) as n (ordinal integer, vector text)
          join public.passages p on p.document_id = $1 and p.ordinal = n.ordinal
      on conflict (document_id, ordinal) do update set model = excluded.model, vector = excluded.vector
    $sql$, v_schema) using v_id, argument -> 'vectors', argument ->> 'model';
  return '{"is_held": true}';
end $$;
