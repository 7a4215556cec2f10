/**
 * The part of Supabase Storage's HTTP API that the server uses, with its statuses and bodies: uploads,
 * deletions, and reads of ranges. One private bucket, held in memory.
 * https://github.com/supabase/storage
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { z } from "zod";
import { closeServer, listen } from "../network/local-port.ts";

const Prefixes = z.object({ prefixes: z.array(z.string()) });

/** A Storage server. */
export class StorageServer {
  /** The objects by path. */
  readonly objects = new Map<string, { readonly bytes: Buffer; readonly type: string }>();
  /** The requests so far, like `POST /object/files/a`. */
  readonly requests: string[] = [];
  /** Whether it refuses every request. */
  isDown = false;
  readonly #bucket: string;
  readonly #key: string;
  readonly #server = createServer((request, response) => {
    void this.#respond(request, response);
  });
  #url = "";

  constructor(bucket: string, key: string) {
    this.#bucket = bucket;
    this.#key = key;
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<this> {
    this.#url = `http://127.0.0.1:${await listen(this.#server)}`;
    return this;
  }

  async close(): Promise<void> {
    await closeServer(this.#server);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const path = (request.url ?? "").replace(/^\/storage\/v1/, "");
    this.requests.push(`${request.method} ${path}`);
    const [, bucket = "", name = ""] = /^\/object\/(?:authenticated\/)?([^/]+)\/?(.*)$/.exec(path) ?? [];
    if (this.isDown) return fail(response, 503, "503", "Service Unavailable");
    if (request.headers.authorization !== `Bearer ${this.#key}`)
      return fail(response, 400, "403", "Invalid Compact JWS");
    // It tells its own status in the body, as the real one does.
    if (bucket !== this.#bucket) return fail(response, 400, "404", "Bucket not found");
    const object = this.objects.get(name);
    if (request.method === "DELETE") {
      const { prefixes } = Prefixes.parse(JSON.parse(Buffer.concat(chunks).toString()));
      const gone = prefixes.filter((prefix) => this.objects.delete(prefix));
      const deleted = gone.map((prefix) => ({ name: prefix, bucket_id: bucket }));
      return send(response, 200, deleted);
    }
    if (request.method === "GET") {
      if (object === undefined) return fail(response, 400, "404", "Object not found");
      return sendRange(response, object.bytes, request.headers.range);
    }
    if (object !== undefined && request.headers["x-upsert"] !== "true")
      return fail(response, 400, "409", "The resource already exists");
    this.objects.set(name, { bytes: Buffer.concat(chunks), type: request.headers["content-type"] ?? "" });
    return send(response, 200, { Key: `${bucket}/${name}`, Id: name });
  }
}

function sendRange(response: ServerResponse, bytes: Buffer, range = ""): void {
  const [, first = "0", last = `${bytes.length - 1}`] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  const part = bytes.subarray(Number(first), Number(last) + 1);
  const headers = { "content-range": `bytes ${first}-${Number(first) + part.length - 1}/${bytes.length}` };
  response.writeHead(range === "" ? 200 : 206, headers).end(part);
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, statusCode: string, message: string): void {
  send(response, status, { statusCode, error: message, message });
}
