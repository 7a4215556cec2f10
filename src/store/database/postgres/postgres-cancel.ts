/** Ends abandoned work in Postgres: a cancel request, and a check whether the backend is still busy. */
import { Client, type ClientConfig, type PoolClient } from "pg";
import { encrypt, openSocket } from "./postgres-socket.ts";

const timeoutMs = 2_000;
/** https://www.postgresql.org/docs/current/protocol-message-formats.html */
const cancelCode = 80_877_102;

/**
 * Asks the server, over a new connection, to end the current query of this connection's backend; encrypted if
 * the first connection is. Resolves once the server closes the new connection, having passed the request on,
 * or after 2 s. Never rejects: the statement's time limit applies anyway.
 */
export async function cancelQuery(client: PoolClient, ssl: ClientConfig["ssl"]): Promise<void> {
  const [processId, secretKey] = findKeys(client);
  if (processId === undefined || secretKey === undefined) return;
  const { host, port } = client;
  const socket = openSocket(host, port);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  socket.on("error", () => {}); // it closes then
  const send = async (): Promise<void> => {
    const stream = ssl === undefined || ssl === false ? socket : await encrypt(socket, host, ssl);
    stream.on("error", () => {}).end(toMessage(cancelCode, processId, secretKey));
  };
  send().catch(() => socket.destroy());
  await closed; // whether or not it could be sent
  clearTimeout(timer);
}

/** Resolves with whether the connection's backend is busy; one that cannot be checked counts as idle. */
export async function isBackendBusy(client: PoolClient, config: ClientConfig): Promise<boolean> {
  const [processId] = findKeys(client);
  if (processId === undefined) return false;
  const asking = new Client({ ...config, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
  asking.on("error", () => {}); // its query fails as well
  try {
    await asking.connect();
    const sql = "select from pg_stat_activity where pid = $1 and state = 'active'";
    return (await asking.query(sql, [processId])).rows.length > 0;
  } catch {
    return false;
  } finally {
    asking.end().catch(() => {}); // it is gone already
  }
}

/** The process id and secret key that the server sent at the start of the connection. */
function findKeys(client: PoolClient): readonly (number | undefined)[] {
  const processId: unknown = "processID" in client ? client.processID : undefined;
  const secretKey: unknown = "secretKey" in client ? client.secretKey : undefined;
  return [processId, secretKey].map((value) => (typeof value === "number" ? value : undefined));
}

function toMessage(...numbers: readonly number[]): Buffer {
  const message = Buffer.alloc(4 * (numbers.length + 1));
  for (const [index, number] of [message.length, ...numbers].entries())
    message.writeInt32BE(number, 4 * index);
  return message;
}
