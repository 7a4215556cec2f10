/** The names of files that the page saves. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toFileName } from "../../web/src/history/file-name.ts";

describe("toFileName", () => {
  for (const [title, name] of [
    ["Trains to Oslo", "Trains to Oslo.md"],
    ["../../etc/passwd", "etc passwd.md"],
    ['C:\\a|b?<c>*"d"', "C a b c d.md"],
    ["gnp.exe\u202e", "gnp.exe.md"],
    ["a\0b\nc", "a b c.md"],
    ["con", "chat.md"],
    ["LPT1.txt", "chat.md"],
    [" ... ", "chat.md"],
    ["", "chat.md"],
    ["京都 عربي 😀", "京都 عربي 😀.md"],
    ["x".repeat(79) + "😀", `${"x".repeat(79)}.md`],
  ] as const)
    test(`makes ${JSON.stringify(name)} of ${JSON.stringify(title)}`, () => {
      assert.equal(toFileName(title, "md"), name);
    });

  test("makes a name that every system takes of any title", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (title) => {
        const name = toFileName(title, "json");
        assert.ok(name.isWellFormed() && name.length <= 85);
        assert.doesNotMatch(name, /[\p{Cc}\p{Cf}<>:"/\\|?*]|^[. ]|[. ]\.json$/u);
      }),
    );
  });
});
