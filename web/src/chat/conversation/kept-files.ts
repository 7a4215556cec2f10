/** New files of messages that the server does not have yet: the browser keeps them over a reload. */

/** A new file of a message. */
export interface KeptFile {
  readonly id: string;
  readonly file: File;
}

/** Where files are kept, as well as that works: nothing here rejects. */
export interface FileStorage {
  put(kept: KeptFile): Promise<void>;
  /** Resolves with `undefined` if the file is not there any more. */
  get(id: string): Promise<File | undefined>;
  delete(ids: readonly string[]): Promise<void>;
  /** Resolves with the ids of all files. */
  ids(): Promise<readonly string[]>;
}

/** How much is kept in all, in bytes: four messages as large as a server takes them. */
const maxBytes = 64 * 1024 * 1024;

/** How long a file is kept, in milliseconds. */
const maxAgeMs = 30 * 24 * 60 * 60 * 1_000;

/** Keeps `file`, and makes room for it: the oldest files leave first. */
export function keepFile(storage: FileStorage, file: File): KeptFile {
  const nowMs = Date.now();
  const kept = { id: `${nowMs}.${file.size}.${crypto.randomUUID()}`, file };
  void storage.put(kept).then(async () => await storage.delete(findSurplus(await storage.ids(), nowMs)));
  return kept;
}

/** Returns the ids of those that are too old, or too many beside newer ones. */
function findSurplus(ids: readonly string[], nowMs: number): readonly string[] {
  let bytes = 0;
  return ids
    .map((id) => {
      const [addedMs, size] = id.split(".").map(Number);
      return { id, addedMs: addedMs ?? 0, size: size ?? 0 };
    })
    .toSorted((a, b) => b.addedMs - a.addedMs)
    .filter(({ addedMs, size }) => {
      bytes += size;
      return bytes > maxBytes || nowMs - addedMs > maxAgeMs;
    })
    .map(({ id }) => id);
}
