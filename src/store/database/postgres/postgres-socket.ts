/** Connections to Postgres below `pg`: opening one, and asking for TLS. */
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

/** The SSLRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const tlsRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const probeTimeoutMs = 2_000;

/** Opens a connection to `host`: a name, an address, or the folder of a Unix socket. */
export function openSocket(host: string, port: number): Socket {
  return connect(host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
}

/** Resolves with whether the server offers TLS, to start next. Rejects if the connection ends first. */
async function requestTls(socket: Socket): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  socket.once("data", (response) => resolve(response.toString("latin1").startsWith("S")));
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the database closed the connection")));
  socket.write(tlsRequest);
  return await promise;
}

/** Resolves with whether the server at `host` offers TLS; rejects if it does not answer within 2 s. */
export async function offersTls(host: string, port: number): Promise<boolean> {
  const socket = openSocket(host, port);
  socket.setTimeout(probeTimeoutMs, () => socket.destroy(new Error("the database did not respond")));
  return await requestTls(socket).finally(() => socket.destroy());
}

/** Starts TLS on `socket`; rejects if the server offers none, or its certificate is not accepted. */
export async function encrypt(socket: Socket, host: string, ssl: true | ConnectionOptions): Promise<Socket> {
  if (!(await requestTls(socket))) throw new Error("the database offers no TLS");
  const options = ssl === true ? {} : ssl;
  const stream = connectTls({ ...options, socket, host, ...(isIP(host) === 0 && { servername: host }) });
  await once(stream, "secureConnect");
  return stream;
}
