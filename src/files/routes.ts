/** The route of stored files. */
import { z } from "zod";
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import { FileHeaders, sendFile } from "../http/files/send-file.ts";
import { UserQuery, Uuid } from "../http/request-fields.ts";
import { defineRoute, defineRoutes, storeErrors } from "../http/route.ts";
import type { AttachmentRows, StoredAttachment } from "../store/attachments/attachment-rows.ts";
import type { StoreRows } from "../store/open-store.ts";
import type { AttachmentType } from "../turn/message.ts";

/** The services of this route; `undefined` if nothing is stored, or if users read their rows themselves. */
export interface FileServices {
  readonly files: AttachmentRows | undefined;
  readonly rows: StoreRows | undefined;
}

const FileParams = z.object({ id: Uuid.describe("The file's id.") });

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
    const sent = {
      ...file,
      name: file.name ?? `${file.id}.${extensions[file.mediaType]}`,
      read: (start: number, end: number) => files.read(file, caller, start, end),
    };
    return await sendFile(sent, headers, request, reply);
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
