/** Builds the page into `web/dist`; `npm run dev -w web` serves it beside a server on port 8000. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { earlyScript } from "./early-script.ts";
import { precompress } from "./precompress.ts";

const client = "../packages/foreword-client/src";
const server = "http://127.0.0.1:8000";
const routes = [
  "/api",
  "/conversations",
  "/documents",
  "/files",
  "/knowledge-bases",
  "/models",
  "/stream-chat",
  "/turns",
  "/usage",
  "/v1",
];

export default defineConfig({
  root: import.meta.dirname,
  base: "./", // so that the page also works below the path prefix of a proxy
  plugins: [earlyScript(), precompress()],
  resolve: {
    alias: {
      "foreword-client/supabase": toPath(`${client}/supabase/supabase.ts`),
    },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0, emptyOutDir: true },
  server: { proxy: Object.fromEntries(routes.map((route) => [route, server])) },
});

function toPath(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
