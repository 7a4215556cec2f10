/**
 * Builds the package into `dist/`: one module per entry and shared ones, with types that need no other
 * package. The types of the wire are the server's own: they are bundled, the server's code is not.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "rolldown";
import { dts } from "rolldown-plugin-dts";

const entries = {
  client: "client",
  "assistant-ui": "assistant-ui/assistant-ui",
  knowledge: "knowledge/knowledge",
  supabase: "supabase/supabase",
} as const;
const folder = import.meta.dirname;
const outDir = join(folder, "dist");

await rm(outDir, { recursive: true, force: true });
await build({
  input: toInput((file) => join(folder, "src", `${file}.ts`)),
  platform: "neutral",
  external: isPackage,
  output: { dir: outDir, format: "esm", chunkFileNames: "[name].js" },
});

const declarations = await mkdtemp(join(tmpdir(), "foreword-client-"));
try {
  const compiler = fileURLToPath(import.meta.resolve("typescript/package.json")).replace(
    /package\.json$/,
    "bin/tsc",
  );
  await promisify(execFile)(process.execPath, [compiler, "-p", folder, "--outDir", declarations]);
  await build({
    input: toInput((file) => join(declarations, "packages/foreword-client/src", `${file}.d.ts`)),
    external: isPackage,
    plugins: [dts({ dtsOnly: true, generator: "oxc", tsconfig: false })],
    output: { dir: outDir, format: "esm", chunkFileNames: "[name].ts" },
  });
} finally {
  await rm(declarations, { recursive: true });
}

function toInput(toPath: (file: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, toPath(file)]));
}

function isPackage(specifier: string): boolean {
  return /^[^./]/.test(specifier);
}
