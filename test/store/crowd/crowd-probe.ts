/** Checks that a pool's connections never return with a user's role or claims. */
import assert from "node:assert/strict";
import { z } from "zod";
import { schemaVersion, service, type Database } from "../../../src/store/database/database.ts";
import { listNames, openPostgres } from "../scratch-database.ts";

/** The user whose claims this session has. */
const subject = "nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'";

/**
 * Returns SQL that makes the database refuse every call over a connection with a user's role or claims: each
 * of the server's functions checks the version first, before it takes the caller's role.
 */
export function toSentrySql(role: string): string {
  return `
create or replace function public.chat_check_version(argument jsonb) returns void
language plpgsql volatile set search_path = '' as $$
begin
  if current_user <> '${role}' or ${subject} is not null then
    raise exception 'a connection came back as % of %', current_user, ${subject} using errcode = 'FW099';
  end if;
  if (argument ->> 'schema_version')::integer is distinct from ${schemaVersion} then
    raise exception 'another version' using errcode = 'FW001';
  end if;
end $$`;
}

/** Returns a connection's role and claims. Each call is held until all connections have been asked. */
const probeSql = `
create or replace function public.chat_describe_schema(argument jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  perform pg_advisory_xact_lock_shared(4711);
  return jsonb_build_object('version', ${schemaVersion}, 'role', current_user, 'subject', ${subject}, 'role_setting', current_setting('role'), 'pid', pg_backend_pid());
end $$`;

const Session = z.object({
  role: z.string(),
  subject: z.string().nullable(),
  role_setting: z.string(),
  pid: z.number(),
});

/** Checks that all `count` connections of `database`, at `url`, have the role `role` and no user's claims. */
export async function assertPoolIsClean(
  database: Database,
  url: string,
  count: number,
  role: string,
): Promise<void> {
  const admin = await openPostgres(url);
  try {
    await admin.apply(probeSql);
    await admin.sql("select pg_advisory_lock(4711)");
    const asked = Array.from({ length: count }, () => database.call("chat_describe_schema", {}, service));
    const answered = Promise.allSettled(asked);
    const waiting = "select pid::text as name from pg_locks where locktype = 'advisory' and not granted";
    while ((await listNames(admin, waiting)).length < count);
    await admin.sql("select pg_advisory_unlock(4711)");
    await answered;
    const sessions = z.array(Session).parse(await Promise.all(asked));
    assert.equal(new Set(sessions.map(({ pid }) => pid)).size, count);
    for (const session of sessions) {
      assert.deepEqual([session.role, session.subject], [role, null]);
      assert.ok(["none", role].includes(session.role_setting), session.role_setting);
    }
  } finally {
    await admin.close();
  }
}
