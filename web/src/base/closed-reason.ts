/** Why the page shows no chat. */
import type { PageConfig } from "./config.ts";

/** The reasons, as the names of their texts. */
export type ClosedReason = "needsKeys" | "noSignIn" | "needsHttps";

/**
 * Returns the reason why there is no chat; `undefined` if there is one. Browsers make ids in secure contexts
 * only.
 */
export function findClosedReason(
  { auth, supabase }: PageConfig,
  isSecure: boolean,
): ClosedReason | undefined {
  if (auth === "keys") return "needsKeys";
  if (auth === "supabase" && supabase === undefined) return "noSignIn";
  return isSecure ? undefined : "needsHttps";
}
