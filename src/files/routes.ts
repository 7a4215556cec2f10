/** The route of stored files. */
import { Readable } from "node:stream";
import { z } from "zod";
import { AppError } from "../base/errors.ts";
import { startReading } from "../http/files/start-reading.ts";
import type { Caller } from "../base/caller.ts";
import { UserQuery, Uuid } from "../http/request-fields.ts";
import { defineRoute, defineRoutes, storeErrors } from "../http/route.ts";
import type { AttachmentRows, StoredAttachment } from "../store/attachments/attachment-rows.ts";
import type { StoreRows } from "../store/open-store.ts";
import type { AttachmentType } from "../turn/message.ts";
import { parseRange } from "./byte-range.ts";

/** The services of this route; `undefined` if nothing is stored, or if users read their rows themselves. */
export interface FileServices {
  readonly files: AttachmentRows | undefined;
  readonly rows: StoreRows | undefined;
}

const FileParams = z.object({ id: Uuid.describe("The file's id.") });

const FileHeaders = z.object({
  range: z.string().optional().describe("One range of bytes, like `bytes=0-1023`."),
  "if-range": z.string().optional().describe("The `ETag` for which `range` is meant."),
  "if-none-match": z.string().optional().describe("The `ETag` of a copy that the client has."),
});

const extensions: Readonly<Record<AttachmentType, string>> = {
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/gif": "gif",
  "image/webp": "webp",
  "application/pdf": "pdf",
};

const getFile = defineRoute({
  method: "GET",
  path: "/files/:id",
  params: FileParams,
  query: UserQuery,
  headers: FileHeaders,
  errors: ["file_not_found", "history_off", "range_not_satisfiable", ...storeErrors],
  handle: async ({ params: { id }, headers, caller, request, reply }, { files, rows }: FileServices) => {
    if (files === undefined || rows === undefined) throw new AppError("history_off", "history_off");
    const file = await findFile(id, caller, files, rows);
    const tag = `"${file.digest}"`;
    const cached = {
      etag: tag,
      "cache-control": "private, max-age=31536000, immutable",
      vary: "authorization",
    };
    if (matches(headers["if-none-match"], tag)) return await reply.code(304).headers(cached).send();
    const isCurrent = headers["if-range"] === undefined || headers["if-range"] === tag;
    const range = isCurrent ? parseRange(headers.range, file.sizeBytes) : undefined;
    if (range === "unsatisfiable") {
      void reply.header("content-range", `bytes */${file.sizeBytes}`);
      throw new AppError("range_not_satisfiable", `${headers.range} of ${file.sizeBytes} bytes`);
    }
    const { start, end } = range ?? { start: 0, end: file.sizeBytes };
    const chunks =
      request.method === "HEAD" ? undefined : await startReading(files.read(file, caller, start, end));
    void reply.headers({ ...cached, ...toHeaders(file), "content-length": end - start });
    if (range !== undefined)
      void reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${file.sizeBytes}`);
    // For HEAD an empty stream: the framework would set the length of any other body.
    return await reply.send(Readable.from(chunks ?? []));
  },
});

/** `/files`. Contract: docs/protocol.md. */
export const fileRoutes = defineRoutes({
  tag: "Files",
  routes: { getFile },
  describe: async () => (await import("./operations.ts")).filesDescription,
});

/** @throws AppError `file_not_found` for an unknown file or another user's, or a `store_…` code. */
async function findFile(
  id: string,
  caller: Caller,
  files: AttachmentRows,
  rows: StoreRows,
): Promise<StoredAttachment> {
  const [known] = await files.find([id], caller);
  if (known !== undefined) return known;
  // It may have been sent a moment ago.
  if (caller.userId !== undefined) await rows.untilWritesStored(caller);
  const [late] = await files.find([id], caller);
  if (late !== undefined) return late;
  throw new AppError("file_not_found", `no file ${id} of ${caller.userId ?? "an unnamed user"}`);
}

function toHeaders({ mediaType, name, id }: StoredAttachment): Record<string, string> {
  const fileName = encodeURIComponent(name ?? `${id}.${extensions[mediaType]}`).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return {
    "content-type": mediaType,
    "content-disposition": `attachment; filename*=UTF-8''${fileName}`,
    // Whatever the file holds, a page that is made of it can do nothing.
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "accept-ranges": "bytes",
  };
}

function matches(header: string | undefined, tag: string): boolean {
  return header?.split(",").some((part) => ["*", tag, `W/${tag}`].includes(part.trim())) === true;
}
