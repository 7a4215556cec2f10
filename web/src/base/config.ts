/** The page's configuration, which the server writes into the document. */

/** How users sign in, and to which server. */
export interface PageConfig {
  readonly auth: "none" | "supabase" | "keys";
  /** The project that users sign in to: only with `supabase`. */
  readonly supabase?: { readonly url: string; readonly key: string };
  /** Whether users can ask for a search of the web. */
  readonly webSearch?: boolean;
  /** Whether users have knowledge bases. */
  readonly knowledge?: boolean;
  /** The name of the page. */
  readonly title: string;
}

/**
 * Reads the configuration in the content of `<meta name="foreword">`; unknown or broken fields count as
 * absent.
 */
export function parsePageConfig(content: string): PageConfig {
  const fields = toRecord(safeParse(content));
  const auth = fields["auth"] === "supabase" || fields["auth"] === "keys" ? fields["auth"] : "none";
  const title = typeof fields["title"] === "string" ? fields["title"] : "Foreword";
  const { url, key } = toRecord(fields["supabase"]);
  return {
    auth,
    title,
    ...(fields["webSearch"] === true && { webSearch: true }),
    ...(fields["knowledge"] === true && { knowledge: true }),
    ...(typeof url === "string" && typeof key === "string" && { supabase: { url, key } }),
  };
}

function safeParse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
