/** API keys and their names. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiKeys } from "../../src/auth/api-keys.ts";
import { AppError } from "../../src/base/errors.ts";

describe("ApiKeys", () => {
  const [first, second, third] = ["a".repeat(24), "b".repeat(24), "c".repeat(24)] as const;
  const keys = new ApiKeys([
    { name: "web", key: first },
    { name: "mobile", key: second },
    { name: "web", key: third },
  ]);

  test("identifies a server by the name of its key, which two keys may share", async () => {
    for (const [key, keyName] of [
      [first, "web"],
      [second, "mobile"],
      [third, "web"],
    ])
      assert.deepEqual(await keys.authenticate(`Bearer ${key}`), { type: "server", keyName });
  });

  test("accepts no key by its name, nor with it", async () => {
    for (const sent of ["web", `web:${first}`, `${first}:web`, ""])
      await assert.rejects(
        keys.authenticate(`Bearer ${sent}`),
        (error) => error instanceof AppError && error.code === "unauthenticated",
      );
  });
});
