/** The names of tools in the page. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toToolName } from "../../web/src/chat/messages/tool-name.ts";

test("a tool is shown by its title, or by the words of its name, beside its server", () => {
  for (const [name, title, shown, server] of [
    ["w__act", null, "act", "w"],
    ["w__act", "Act now", "Act now", "w"],
    ["maps__get_route", null, "get route", "maps"],
    ["maps__getRoute", null, "get route", "maps"],
    ["maps__readPDF", null, "readPDF", "maps"],
    ["my-maps__a__b", null, "a b", "my-maps"],
    ["pick-colour", null, "pick colour", undefined],
    ["__act", null, "act", undefined],
    ["w__", null, "w", undefined],
    ["__", null, "__", undefined],
    ["___", null, "___", undefined],
    ["<b>__toString", null, "to string", "<b>"],
  ] as const)
    assert.deepEqual(toToolName(name, title), { name: shown, server }, name);
});
