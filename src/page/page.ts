/** The page of one server: its document with the configuration, and its assets. */
import { fileURLToPath } from "node:url";
import { Html } from "../http/html.ts";
import { toTagged, type TaggedBody } from "../http/tagged-body.ts";
import { loadBuild, type Asset, type Build } from "./build.ts";
import type { PageConfig } from "./page-config.ts";
import { toPageHeaders } from "./page-headers.ts";

const buildFolder = fileURLToPath(new URL("../../web/dist", import.meta.url));
/** The configuration in the built document, which is for development. */
const placeholder = /<meta name="foreword" content='[^']*'[^>]*>/;
const advice = Html.of`<!doctype html><html lang="en"><title>Foreword</title><p>The chat page has not been built: run <code>npm ci</code> with its development dependencies, then reload. The API works without it: see the <a href="docs">API docs</a>.</p></html>`;

/** The page. Its build is loaded at the start, or when it is there. */
export class Page {
  readonly #config: PageConfig;
  readonly #folder: string;
  #loaded: { readonly assets: Build["assets"]; readonly document: TaggedBody } | undefined;

  /** @param folder of the build. Default: the one in this package. */
  constructor(config: PageConfig, folder: string = buildFolder) {
    this.#config = config;
    this.#folder = folder;
    this.#load();
  }

  /** Whether there is a build. */
  get isBuilt(): boolean {
    return this.#loaded !== undefined;
  }

  /** The document; without a build, one that says how to make it. */
  get document(): TaggedBody {
    if (this.#loaded === undefined) this.#load();
    return this.#loaded?.document ?? toTagged(advice.markup, "text/html");
  }

  /** Returns the asset called `name`. */
  findAsset(name: string): Asset | undefined {
    return this.#loaded?.assets.get(name);
  }

  #load(): void {
    const build = loadBuild(this.#folder);
    if (build === undefined) return;
    const text = configure(build.document, this.#config);
    this.#loaded = {
      assets: build.assets,
      document: toTagged(text, "text/html", toPageHeaders(this.#config)),
    };
  }
}

function configure(document: string, config: PageConfig): string {
  if (!placeholder.test(document)) throw new Error("the page's document has no place for its configuration");
  const meta = Html.of`<meta name="foreword" content="${JSON.stringify(config)}">`;
  const title = Html.of`<title>${config.title}</title>`;
  return document
    .replace(placeholder, () => meta.markup)
    .replace(/<title>[^<]*<\/title>/, () => title.markup);
}
