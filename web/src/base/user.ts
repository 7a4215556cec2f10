/** The user of a server without sign-in: an id that the browser keeps. */

const key = "foreword.user";

/** Returns the id that this browser keeps; creates it on the first visit. */
export function readLocalUser(): string {
  const kept = localStorage.getItem(key);
  if (kept !== null && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(kept)) return kept;
  const created = crypto.randomUUID();
  localStorage.setItem(key, created);
  return created;
}
