/** The configuration of the page, which the server writes into its document. */

/** How users sign in, and to which project. */
export interface PageConfig {
  readonly auth: "none" | "supabase" | "keys";
  /** With `supabase`: the project, and its public key. Absent if the key is not configured. */
  readonly supabase?: { readonly url: string; readonly key: string };
  /** Whether users can ask for a search of the web. */
  readonly webSearch?: true;
  /** Whether users have knowledge bases. */
  readonly knowledge?: true;
  /** The name of the page. */
  readonly title: string;
}
