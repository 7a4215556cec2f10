/** Lists all routes of a server, so that a test of every route cannot miss one. */
import type { App } from "../../../src/app.ts";

/** Returns `METHOD path` of each route. */
export function listRoutes({ http }: App): string[] {
  const stack: string[] = [];
  return http
    .printRoutes({ commonPrefix: false })
    .split("\n")
    .flatMap((line) => {
      const [, indent = "", segment = "", methods] = /^([│ ]*)[├└]── ([^ ]*)(?: \((.*)\))?$/.exec(line) ?? [];
      stack.length = indent.length / 4;
      stack.push(segment);
      if (methods === undefined) return [];
      return methods
        .split(", ")
        .filter((method) => !["HEAD", "OPTIONS"].includes(method))
        .map((method) => `${method} ${stack.join("").replace(/(.)\/$/, "$1")}`);
    });
}
