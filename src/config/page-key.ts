/** The key with which the page signs users in, and which everyone who opens the page can read. */
import type { Environment } from "./variables.ts";

/** Returns the project's public key for the page; `undefined` if there is none, or no page that signs in. */
export function findPageKey({
  AUTH,
  PAGE,
  PAGE_SUPABASE_KEY,
  SUPABASE_ANON_KEY,
}: Environment): string | undefined {
  return AUTH === "supabase" && PAGE ? (PAGE_SUPABASE_KEY ?? SUPABASE_ANON_KEY) : undefined;
}

/** Whether a Supabase key gives access to all rows: a secret key, or a token of the service role. */
export function isSecretKey(key: string): boolean {
  if (key.startsWith("sb_secret_")) return true;
  const [, payload = ""] = key.split(".");
  return /"role"\s*:\s*"(?!anon")/.test(Buffer.from(payload, "base64url").toString());
}
