/** The session that the browser keeps, and the user whose data it keeps. */

/** The part of the browser's `localStorage` that is used. */
export interface SessionStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The key of the session, which Supabase's library writes; it derives further keys from this one. */
export const sessionKey = "foreword.session";

/** The key of the id of the user who has not signed out; a session that has ended leaves it. */
const userKey = "foreword.signed-in";

/** The key of the address to come back to. */
const placeKey = "foreword.place";

/** A user, as the project knows them. */
export interface AccountUser {
  readonly id: string;
  /** Absent if the provider tells none. */
  readonly email: string | undefined;
}

/** The session as far as it is used here. */
export interface StoredSession {
  readonly token: string;
  readonly user: AccountUser;
}

/** Returns the session; `undefined` if there is none, or a broken one. It may have expired. */
export function readSession(storage: SessionStorage): StoredSession | undefined {
  const { access_token: token, refresh_token: refresh, user } = parse(storage.getItem(sessionKey));
  const { id, email } = toRecord(user);
  if (typeof token !== "string" || typeof refresh !== "string" || typeof id !== "string") return undefined;
  return { token, user: { id, email: typeof email === "string" && email !== "" ? email : undefined } };
}

/** Returns the id of the user who has not signed out. */
export function readSignedIn(storage: SessionStorage): string | undefined {
  return storage.getItem(userKey) ?? undefined;
}

/** Makes `userId` the only user whose data the browser keeps; returns whether data of others was there. */
export function keepOnly(storage: SessionStorage, userId: string): boolean {
  const isOther = readSignedIn(storage) !== userId;
  const removed = removeOthers(storage, userId);
  storage.setItem(userKey, userId);
  return isOther || removed;
}

/** Removes the session, and all that the browser keeps of any user. */
export function removeAll(storage: SessionStorage): void {
  storage.removeItem(userKey); // first: other tabs tell by it that this is no expired session
  storage.removeItem(placeKey);
  for (const key of keysOf(storage)) if (key.startsWith(sessionKey)) storage.removeItem(key);
  removeOthers(storage, undefined);
}

/** Removes what is left of earlier users, if none is signed in; a sign-in that has begun goes on. */
export function removeLeftovers(storage: SessionStorage): void {
  if (readSession(storage) === undefined && readSignedIn(storage) === undefined)
    removeOthers(storage, undefined);
}

/** Keeps the hash of the page's address, as a project sends the browser back without it. */
export function keepPlace(storage: SessionStorage, hash: string): void {
  storage.setItem(placeKey, hash);
}

/** Returns the kept hash, once; `""` if there is none. */
export function takePlace(storage: SessionStorage): string {
  const hash = storage.getItem(placeKey) ?? "";
  storage.removeItem(placeKey);
  return hash.startsWith("#/") ? hash : "";
}

/** Removes what is kept under `foreword.<kind>.<user>.<id>` of all users but `userId`. */
function removeOthers(storage: SessionStorage, userId: string | undefined): boolean {
  const others = keysOf(storage).filter((key) => {
    const owner = /^foreword\.[a-z-]+\.([0-9a-f-]{36})\./i.exec(key)?.[1];
    return owner !== undefined && owner !== userId;
  });
  for (const key of others) storage.removeItem(key);
  return others.length > 0;
}

function keysOf(storage: SessionStorage): readonly string[] {
  return Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter(
    (key) => key !== null,
  );
}

function parse(text: string | null): Readonly<Record<string, unknown>> {
  try {
    return toRecord(JSON.parse(text ?? "null"));
  } catch {
    return {};
  }
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
