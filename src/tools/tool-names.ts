/** The names of tools as models see them: `server__tool`. */
import { hash } from "node:crypto";

const maxNameLength = 64;
const digestLength = 6;

/**
 * Returns the names of a server's tools, by the names that the server gives them: at most 64 of
 * `[A-Za-z0-9_-]`, all different. A name that would equal another, or would be too long, ends in a digest.
 * @param names different from each other.
 */
export function nameTools(prefix: string, names: readonly string[]): ReadonlyMap<string, string> {
  const plain = names.map((name) => [name, toPlainName(prefix, name)] as const);
  const groups = Map.groupBy(plain, ([, full]) => full);
  return new Map(
    plain.map(([name, full]) => {
      const isExact = full === `${prefix}__${name}`;
      const isAlone = (groups.get(full) ?? []).length === 1;
      return [name, full.length <= maxNameLength && (isExact || isAlone) ? full : toDigestName(full, name)];
    }),
  );
}

function toPlainName(prefix: string, name: string): string {
  return `${prefix}__${name.replaceAll(/[^A-Za-z0-9_-]+/g, "_")}`;
}

function toDigestName(full: string, name: string): string {
  const digest = hash("sha256", name).slice(0, digestLength);
  return `${full.slice(0, maxNameLength - digestLength - 1)}_${digest}`;
}
