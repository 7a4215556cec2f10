/** Reads the pages of the docs: their text without code, and the anchors of their headings. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Returns a page, by its path from the root, without its code blocks. */
export function readPageProse(page: string): string {
  return readFileSync(join(root, page), "utf8").replaceAll(/^```[^]*?^```$/gm, "");
}

/** Returns the anchors of a page's headings, as GitHub makes them. */
export function toAnchors(page: string): ReadonlySet<string> {
  const headings = Array.from(readPageProse(page).matchAll(/^#+ (.*)$/gm), ([, heading = ""]) => heading);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}
