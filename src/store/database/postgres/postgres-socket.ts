/** Connections to Postgres below `pg`: how one is opened, and how TLS is asked for. */
import { connect, type Socket } from "node:net";

/** The SSLRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const tlsRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Opens a connection to `host`: a name, an address, or the folder of a Unix socket. */
export function openSocket(host: string, port: number): Socket {
  return connect(host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
}

/** Resolves with whether the server offers TLS, which may be begun then. Rejects if the connection ends before its answer. */
export async function requestTls(socket: Socket): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  socket.once("data", (answer) => resolve(answer.toString("latin1").startsWith("S")));
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the database closed the connection")));
  socket.write(tlsRequest);
  return await promise;
}
