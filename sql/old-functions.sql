-- Functions that only servers of earlier versions called.
do $$
declare
  v_function text;
begin
  foreach v_function in array array['chat_search_unread(jsonb)', 'chat_split_query(jsonb)'] loop
    if to_regprocedure('public.' || v_function) is not null then
      execute format('drop function public.%s', v_function);
    end if;
  end loop;
end $$;
