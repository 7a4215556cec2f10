/** The headers of the page's document: a browser runs its scripts alone, and connects to nothing else. */
import type { PageConfig } from "./page-config.ts";

/** Headers that every HTML document of this server has beside its policy. */
const documentHeaders: Readonly<Record<string, string>> = {
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), bluetooth=(), hid=(), midi=(), display-capture=(), browsing-topics=()",
};

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
