/** The version of this package. */
import { readFileSync } from "node:fs";

/** Returns the version in `package.json`. */
export function readVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return version;
}
