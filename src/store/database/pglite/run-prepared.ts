/** Statements that a session of PGlite parses once. */
import { messages, protocol, type PGlite } from "@electric-sql/pglite";

const { serialize } = protocol;

/** The names of the statements that each session has parsed, by their text. */
const parsed = new WeakMap<PGlite, Map<string, string>>();

/**
 * Runs `sql`, which has one parameter and one column; resolves with the column of each row. All messages are
 * sent at once, and a session parses a statement once: PGlite's `query` sends five, one by one, and a call
 * takes twice as long.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 * @param sql one of a fixed number of texts: each stays in memory.
 * @throws Error as `query` does.
 */
export async function runPrepared(
  database: PGlite,
  sql: string,
  value: string,
): Promise<readonly (string | null)[]> {
  return await database.runExclusive(async () => {
    if (database.closed) throw new Error("the session is closed");
    const names = parsed.get(database) ?? new Map<string, string>();
    parsed.set(database, names);
    const known = names.get(sql);
    const statement = known ?? `call-${names.size}`;
    const sent = Buffer.concat([
      ...(known === undefined ? [serialize.parse({ name: statement, text: sql })] : []),
      serialize.bind({ statement, values: [value] }),
      serialize.execute({}),
      serialize.sync(),
    ]);
    const received = await database.execProtocol(sent, { throwOnError: false });
    // It is parsed even if its first execution fails.
    if (received.messages.some(({ name }) => name === "parseComplete")) names.set(sql, statement);
    const failure = received.messages.find((message) => message instanceof messages.DatabaseError);
    if (failure !== undefined) throw failure;
    return received.messages.flatMap((message) =>
      message instanceof messages.DataRowMessage ? [message.fields[0] ?? null] : [],
    );
  });
}
