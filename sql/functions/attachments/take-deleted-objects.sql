-- Forgets objects that were deleted from the bucket, and returns others that must be.
-- @param deleted their paths
-- @param limit
-- @returns {paths, the oldest first}
create or replace function public.chat_take_deleted_objects(argument jsonb) returns jsonb
language plpgsql set search_path = '' as $$
begin
  perform public.chat_check_version(argument);
  delete from public.deleted_objects d
    where d.path in (select jsonb_array_elements_text(argument -> 'deleted'));
  return jsonb_build_object('paths', coalesce((
    select jsonb_agg(d.path order by d.deleted_at) from (
      select * from public.deleted_objects o order by o.deleted_at limit (argument ->> 'limit')::integer) d
  ), '[]'));
end $$;
