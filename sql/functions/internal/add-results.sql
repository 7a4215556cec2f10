-- Returns the metadata of a reply whose client has brought results: its plan, its searches and its
-- sources stay.
-- @param p_earlier the metadata of the reply without them; users may have written anything there
-- @param p_metadata as in a path of chat_save_messages
create or replace function foreword.add_results(p_earlier jsonb, p_metadata jsonb) returns jsonb
language plpgsql immutable set search_path = '' as $$
begin
  return coalesce((select jsonb_object_agg(e.key, e.value) from jsonb_each(foreword.to_object(p_earlier)) e
      where e.key in ('plan', 'searches', 'sources') and e.value <> 'null'), '{}') || p_metadata
    || jsonb_build_object('tools', foreword.merge_tools(p_earlier -> 'tools', p_metadata -> 'tools'));
end $$;
