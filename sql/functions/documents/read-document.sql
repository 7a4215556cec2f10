-- Returns passages of a document of the user, in order. Since version 11.
-- @param user_id or null
-- @param document_id
-- @param page of the only page wanted, or null
-- @param first the ordinal of the first one wanted
-- @param limit
-- @returns [{ordinal, page, heading, text}]
create or replace function public.chat_read_document(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_page integer := (argument ->> 'page')::integer;
begin
  perform public.chat_become_caller(argument);
  return coalesce((
    select jsonb_agg(to_jsonb(l) order by l.ordinal) from (
      select p.ordinal, p.page, p.heading, p.text from public.passages p
        where p.document_id = (argument ->> 'document_id')::uuid
          and p.user_id is not distinct from (argument ->> 'user_id')::uuid
          and (v_page is null or p.page = v_page) and p.ordinal >= (argument ->> 'first')::integer
        order by p.ordinal limit (argument ->> 'limit')::integer) l
  ), '[]');
end $$;
