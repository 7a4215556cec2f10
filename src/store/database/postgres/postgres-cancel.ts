/** Ends work in Postgres that is no longer waited for: a cancel request, and a check whether the backend still works. */
import { once } from "node:events";
import { isIP, type Socket } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import { Client, type ClientConfig, type PoolClient } from "pg";
import { openSocket, requestTls } from "./postgres-socket.ts";

const timeoutMs = 2_000;
/** https://www.postgresql.org/docs/current/protocol-message-formats.html */
const cancelCode = 80_877_102;

/**
 * Asks the server to end what the connection's backend does, by a connection of its own, encrypted if the first one is.
 * Resolves once the server has closed that, having passed it on, or after 2 s; never rejects: the time limit of the
 * statement holds all the same.
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

/** Resolves with whether the backend of a connection still works; one that cannot be asked about counts as idle. */
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

/** What the server said at the connection's start, for its backend to be named by. */
function findKeys(client: PoolClient): readonly (number | undefined)[] {
  const processId: unknown = "processID" in client ? client.processID : undefined;
  const secretKey: unknown = "secretKey" in client ? client.secretKey : undefined;
  return [processId, secretKey].map((value) => (typeof value === "number" ? value : undefined));
}

async function encrypt(socket: Socket, host: string, ssl: true | ConnectionOptions): Promise<Socket> {
  if (!(await requestTls(socket))) throw new Error("the database offers no TLS");
  const options = ssl === true ? {} : ssl;
  const stream = connect({ ...options, socket, host, ...(isIP(host) === 0 && { servername: host }) });
  await once(stream, "secureConnect");
  return stream;
}

function toMessage(...numbers: readonly number[]): Buffer {
  const message = Buffer.alloc(4 * (numbers.length + 1));
  for (const [index, number] of [message.length, ...numbers].entries())
    message.writeInt32BE(number, 4 * index);
  return message;
}
