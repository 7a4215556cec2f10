/** Builds a small script that runs before the browser paints; the others wait until the document is read. */
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const source = fileURLToPath(new URL("src/early-theme.ts", import.meta.url));

/** Returns the plugin. It does nothing in development, where the theme may come a moment late. */
export function earlyScript(): Plugin {
  return {
    name: "foreword-early-script",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "chunk", id: source, name: "early" });
    },
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle = {} }) {
        const chunk = Object.values(bundle).find(
          (output) => output.type === "chunk" && output.facadeModuleId === source,
        );
        if (chunk === undefined) throw new Error(`there is no build of ${source}`);
        return [{ tag: "script", attrs: { src: `./${chunk.fileName}` }, injectTo: "head" }];
      },
    },
  };
}
