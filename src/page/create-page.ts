/** Makes the page of a server from its settings. */
import type { PageConfig } from "./page-config.ts";
import { Page } from "./page.ts";

/** The settings of the page. */
export interface PageOptions {
  readonly title: string;
  /** The public key of the Supabase project with which users sign in, if they do. */
  readonly supabaseKey: string | undefined;
}

/** The settings of a server that the page depends on. */
interface ServerOptions {
  readonly page: PageOptions | undefined;
  readonly webSearch: object | undefined;
  /** The knowledge bases. */
  readonly knowledge: object | undefined;
  readonly auth:
    | { readonly type: Exclude<PageConfig["auth"], "supabase"> }
    | { readonly type: "supabase"; readonly supabase: { readonly url: string } };
}

/** Returns the page; `undefined` if it is turned off. */
export function createPage({ page, auth, webSearch, knowledge }: ServerOptions): Page | undefined {
  if (page === undefined) return undefined;
  const { title, supabaseKey: key } = page;
  const isComplete = auth.type === "supabase" && key !== undefined;
  return new Page({
    auth: auth.type,
    title,
    ...(webSearch !== undefined && { webSearch: true }),
    ...(knowledge !== undefined && { knowledge: true }),
    ...(isComplete && { supabase: { url: auth.supabase.url, key } }),
  });
}
