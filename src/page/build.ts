/** The build of the page: a document, and the assets that it loads. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

/** The encodings in which assets are built besides their plain bytes, the smallest first. */
export const encodings = ["br", "gzip"] as const;
/** An encoding of an asset. */
export type Encoding = (typeof encodings)[number];

const suffixes: Readonly<Record<Encoding, string>> = { br: ".br", gzip: ".gz" };
/** The media types of assets. Other files are not served. */
const mediaTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** A file that the document loads; its name holds a digest of its contents. */
export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
  readonly encoded: ReadonlyMap<Encoding, Buffer>;
}

/** A build, in memory, so that a running server is not affected when the folder is built again. */
export interface Build {
  /** The document, without the configuration. */
  readonly document: string;
  readonly assets: ReadonlyMap<string, Asset>;
}

/** Loads the build in `folder`; returns `undefined` if there is none. */
export function loadBuild(folder: string): Build | undefined {
  const document = join(folder, "index.html");
  if (!existsSync(document)) return undefined;
  const assets = join(folder, "assets");
  const names = readdirSync(assets).filter((name) => Object.hasOwn(mediaTypes, extname(name)));
  return {
    document: readFileSync(document, "utf8"),
    assets: new Map(names.map((name) => [name, loadAsset(join(assets, name))])),
  };
}

function loadAsset(file: string): Asset {
  const encoded = encodings.flatMap((encoding) => {
    const path = `${file}${suffixes[encoding]}`;
    return existsSync(path) ? [[encoding, readFileSync(path)] as const] : [];
  });
  return {
    type: mediaTypes[extname(file)] ?? "",
    bytes: readFileSync(file),
    encoded: new Map(encoded),
  };
}
