/** The clients of the server for one user. */
import { createClient, createKnowledgeBases, type ClientOptions } from "./foreword-client.ts";
import { UserBases } from "../knowledge/user-bases.ts";
import type { PageConfig } from "./config.ts";
import type { PageServices } from "./page-context.ts";

/** A failure is told after about two seconds; the page then tries again by itself, or offers that. */
const retry = { maxRetries: 3 };

/** Returns them for the server that has sent the page. */
export function createClients(
  options: Omit<ClientOptions, "baseUrl">,
  { knowledge }: PageConfig,
): Pick<PageServices, "client" | "knowledge"> {
  const all = { baseUrl: new URL(".", location.href).href, retry, ...options };
  return {
    client: createClient(all),
    ...(knowledge === true && { knowledge: new UserBases(createKnowledgeBases(all)) }),
  };
}
