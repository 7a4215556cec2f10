/** Files in the browser's IndexedDB. */

const storeName = "files";

/** Keeps files by their ids. Where the browser keeps nothing, they are soon gone. */
export class IndexedFiles {
  #database: Promise<IDBDatabase> | undefined;

  async put({ id, file }: { readonly id: string; readonly file: File }): Promise<void> {
    await this.#run("readwrite", (files) => files.put(file, id));
  }

  async get(id: string): Promise<File | undefined> {
    const value: unknown = await this.#run("readonly", (files) => files.get(id));
    return value instanceof File ? value : undefined;
  }

  async delete(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#run("readwrite", (files) => files.delete(id));
  }

  async ids(): Promise<readonly string[]> {
    const keys = (await this.#run("readonly", (files) => files.getAllKeys())) ?? [];
    return keys.filter((key) => typeof key === "string");
  }

  /** Resolves with the request's result once it is safe; with `undefined` if the browser refuses it. */
  async #run<Result>(
    mode: IDBTransactionMode,
    ask: (files: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result | undefined> {
    try {
      this.#database ??= open();
      const transaction = (await this.#database).transaction(storeName, mode);
      const request = ask(transaction.objectStore(storeName));
      await settled(transaction, "complete");
      return request.result;
    } catch {
      this.#database = undefined; // closed by the browser, or never opened
      return undefined;
    }
  }
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open("foreword", 1);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(storeName));
  await settled(request, "success");
  const database = request.result;
  database.addEventListener("versionchange", () => database.close()); // another version of the page
  return database;
}

async function settled(target: EventTarget, success: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  target.addEventListener(success, () => resolve());
  for (const failure of ["error", "abort", "blocked"])
    target.addEventListener(failure, () => reject(new Error(failure)));
  await promise;
}
