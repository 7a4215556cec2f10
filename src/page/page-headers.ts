/** The headers of the page's document: a browser runs its scripts alone, and connects to nothing else. */
import { documentHeaders } from "../http/html.ts";
import type { PageConfig } from "./page-config.ts";

/** Returns the headers for the page with `config`. */
export function toPageHeaders({ supabase }: PageConfig): Readonly<Record<string, string>> {
  const project = supabase === undefined ? "" : ` ${new URL(supabase.url).origin}`;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    `connect-src 'self'${project}`,
    "worker-src 'self'",
    "font-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return { ...documentHeaders, "content-security-policy": policy.join("; ") };
}
