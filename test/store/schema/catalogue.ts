/** Finds openings in a database's catalogue that let users past row level security. */
import { listNames, type Scratch } from "../scratch-database.ts";

/** Schemas that are ours to check: all but the system's. */
const isOurs = "not in ('pg_catalog', 'information_schema', 'pg_toast')";

/** A line for each opening; a test shows that each part finds one. */
const openingsSql = `
with relations as (
  select c.oid, c.oid::regclass as name, c.relkind, c.relrowsecurity, c.reloptions
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname ${isOurs} and n.nspname !~ '^pg_temp'),
functions as (
  select p.oid, p.oid::regprocedure as name, p.prosecdef, p.pronamespace::regnamespace::text as schema,
      exists (select from unnest(p.proconfig) setting where setting in ('search_path=""', 'search_path=pg_catalog')) as is_fixed
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname ${isOurs})
select opening as name from (
  select format('table %s has no row level security', name) as opening
    from relations where relkind in ('r', 'p') and not relrowsecurity
  union all select format('table %s has no policy', r.name)
    from relations r where relkind in ('r', 'p') and not exists (select from pg_policy p where p.polrelid = r.oid)
  union all select format('policy %s on %s writes without a check', polname, polrelid::regclass)
    from pg_policy where polcmd in ('a', 'w', '*') and polwithcheck is null
  union all select format('policy %s on %s does not ask who is there', polname, polrelid::regclass)
    from pg_policy, unnest(array[pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)]) expression
    where expression !~ 'auth\\.uid\\(\\)' and expression <> 'false'
  union all select format('policy %s on %s is for others than users', polname, polrelid::regclass)
    from pg_policy where polroles <> array['authenticated'::regrole::oid]
  union all select format('table %s may be used by anon', name)
    from relations where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
      and (case when relkind = 'S' then has_sequence_privilege('anon', oid, 'usage, select, update')
        else has_table_privilege('anon', oid, 'select, insert, update, delete, truncate, references, trigger') end)
  union all select format('function %s may be called by anon', name)
    from functions where schema = 'public' and has_function_privilege('anon', oid, 'execute')
  union all select format('function %s defines security without a fixed search_path', name)
    from functions where prosecdef and not is_fixed
  union all select format('function %s has no fixed search_path', name) from functions where schema = 'public' and not is_fixed
  union all select format('view %s asks as its owner', name)
    from relations where relkind = 'v'
      and not coalesce(reloptions, '{}') && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1']
  union all select format('materialized view %s holds rows of all', name) from relations where relkind = 'm'
) openings order by opening`;

/** Returns the openings in a database that holds only the schema. */
export async function listOpenings(scratch: Scratch): Promise<string[]> {
  return await listNames(scratch, openingsSql);
}
