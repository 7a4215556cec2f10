-- One migration at a time, and never back to an older version: servers that need the newer one would fail.
-- The functions know the version: they have the same names whatever the tables are called.
do $$
declare
  c_version constant integer := {{version}};
  v_version integer;
  v_tables regclass[];
  v_attempts integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('foreword schema'));
  if to_regprocedure('public.chat_describe_schema(jsonb)') is not null then
    begin
      v_version := (public.chat_describe_schema('{}') ->> 'version')::integer;
    exception -- some of it was dropped by hand
      when undefined_table or undefined_function or undefined_object or invalid_schema_name then null;
    end;
  end if;
  if v_version > c_version then
    raise exception 'this database holds version % of Foreword''s schema, and this file has version %, which is older: nothing was changed', v_version, c_version
      using errcode = 'FW002', hint = 'Upgrade Foreword, and apply the schema it comes with.';
  end if;

  -- From here on no statement waits long for a lock, because every read would queue behind it. Statements
  -- that change tables need them exclusively, and lock them all at once or not at all: a transaction that
  -- held one and wanted another would be the victim of a deadlock.
  set local lock_timeout = '200ms';
  if v_version is distinct from c_version then
    v_tables := array(
      select to_regclass(name)
        from unnest(array['public.conversations', 'public.messages', 'public.turns', 'public.turn_pieces',
        'public.turn_events', 'public.turn_waits', 'public.context_summaries', 'public.deleted_conversations',
        'public.daily_usage', 'public.request_counts', 'public.knowledge_bases', 'public.documents',
        'public.passages', 'public.title_words', 'public.message_words']) name
      where to_regclass(name) is not null);
    while cardinality(v_tables) > 0 loop
      begin
        execute format('lock table %s in access exclusive mode', array_to_string(v_tables, ', '));
        exit;
      exception when lock_not_available then
        v_attempts := v_attempts + 1;
        if v_attempts = 50 then
          raise exception 'other transactions hold the tables: nothing was changed'
            using errcode = 'lock_not_available',
              hint = 'End long transactions (see pg_stat_activity), and apply this again.';
        end if;
        perform pg_sleep(0.1 + random() / 5);
      end;
    end loop;
  end if;

  -- A step that came with a newer version than the functions tell must run again: an older file, which
  -- records no steps, was applied since. So must all steps if the functions were dropped.
  if to_regclass('foreword.schema_steps') is not null then
    delete from foreword.schema_steps s
      where s.version > coalesce(v_version, 0)
        or not exists (select from pg_class c where c.oid = s.on_table);
  end if;
end $$;
