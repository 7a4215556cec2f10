/** Peers whose packages are no part of this repository: npm installs them in a temporary folder. */
import { cp } from "node:fs/promises";
import { makeTemporaryFolder } from "../clean-up.ts";
import { Program, toPath } from "../program.ts";

const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--omit=dev"];
const folders = new Map<string, Promise<string>>();

async function install(name: string): Promise<string> {
  const { path } = await makeTemporaryFolder();
  await cp(toPath(`peers/${name}`), path, { recursive: true });
  // npm's settings may be in the environment.
  const variables = Object.fromEntries(
    Object.entries(process.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  await new Program({ leader: "npm", args: ["install", ...options], folder: path, variables }).succeed();
  return path;
}

/** Resolves with a folder that holds the peer's program and its packages, installed once. */
export async function findInstalled(name: string): Promise<string> {
  const installing = folders.get(name) ?? install(name);
  folders.set(name, installing);
  return await installing;
}
