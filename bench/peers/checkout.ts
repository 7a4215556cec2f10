/** The checkouts of Foreword whose servers are measured: this one, and another to compare it with. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** A folder with Foreword's source and its installed dependencies. */
export interface Checkout {
  readonly root: string;
  /** Its short commit. */
  readonly commit: string;
}

export const ownCheckout: Checkout = toCheckout(fileURLToPath(new URL("../..", import.meta.url)));

function toCheckout(root: string): Checkout {
  return { root, commit: readCommit(root) };
}

function readCommit(root: string): string {
  try {
    return execFileSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown commit";
  }
}

/** Returns the checkout at `path`. @throws Error if it holds no Foreword that can be started. */
export function findCheckout(path: string): Checkout {
  const root = resolve(path);
  for (const needed of ["src/main.ts", "supabase_schema.sql", "node_modules"])
    if (!existsSync(join(root, needed)))
      throw new Error(`--against: ${root} has no ${needed}; name a checkout with installed dependencies`);
  return toCheckout(root);
}

/** Returns those of `variables` that the checkout knows: an older one would warn about the others. */
export function chooseKnown(
  { root }: Checkout,
  variables: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const known = readFileSync(join(root, ".env.example"), "utf8");
  return Object.fromEntries(Object.entries(variables).filter(([name]) => known.includes(`${name}=`)));
}
