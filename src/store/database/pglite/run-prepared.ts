/** Statements that a session of PGlite parses once. */
import { messages, protocol, type PGlite } from "@electric-sql/pglite";

const { serialize } = protocol;

/** The SQLSTATE of a prepared statement that does not exist. */
const unknownStatement = "26000";

/** The names of the statements that each session has parsed, by their text. */
const parsed = new WeakMap<PGlite, Map<string, string>>();
let lastNumber = 0;

/**
 * Runs `sql`, which has one parameter and one column; resolves with the column of each row. All messages are
 * sent at once, and a session parses a statement once: PGlite's `query` sends six, one by one, and a call
 * takes twice as long.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 * @param sql one of a fixed number of texts: each stays in memory.
 * @throws Error as `query` does, and if the session gives no answer.
 */
export async function runPrepared(
  database: PGlite,
  sql: string,
  value: string,
): Promise<readonly (string | null)[]> {
  return await database.runExclusive(async () => {
    if (!database.ready) throw new Error("the session is closed");
    const names = parsed.get(database) ?? new Map<string, string>();
    parsed.set(database, names);
    const known = names.get(sql);
    if (known === undefined) lastNumber += 1;
    const statement = known ?? `call-${lastNumber}`;
    const sent = Buffer.concat([
      ...(known === undefined ? [serialize.parse({ name: statement, text: sql })] : []),
      serialize.bind({ statement, values: [value] }),
      serialize.execute({}),
      serialize.sync(),
    ]);
    const received = await database.execProtocolStream(sent, { throwOnError: false });
    // It is parsed even if its first execution fails.
    if (received.some(({ name }) => name === "parseComplete")) names.set(sql, statement);
    const failure = received.find((message) => message instanceof messages.DatabaseError);
    if (failure?.code === unknownStatement) names.delete(sql);
    if (failure !== undefined) throw failure;
    // PGlite swallows most errors of its file system and of WebAssembly.
    if (!received.some(({ name }) => name === "commandComplete"))
      throw new Error("the session gives no answer");
    return received.flatMap((message) =>
      message instanceof messages.DataRowMessage ? [message.fields[0] ?? null] : [],
    );
  });
}
