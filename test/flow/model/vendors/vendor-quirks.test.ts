/** Every peculiarity of a model server that docs/models.md lists, as whole turns. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { vendorQuirks } from "../../../fixtures/model/vendor-quirks.ts";
import { useModel, useStartApp } from "../../../support/apps/use-app.ts";

const page = readFileSync(join(import.meta.dirname, "../../../../docs/models.md"), "utf8");

const Completion = z.object({
  choices: z.tuple([
    z.object({
      message: z.object({ content: z.string(), reasoning_content: z.string().optional() }),
    }),
  ]),
});
const Problem = z.object({ error: z.object({ code: z.string() }) });

/** Returns the first cells of the tables in the section of `server`. */
function listRows(server: string): readonly string[] {
  const section = page.split(`### ${server}\n`)[1]?.split(/^##/m)[0] ?? "";
  return Array.from(section.matchAll(/^\| (.*?) \|.*$/gm), ([, cell = ""]) => cell).slice(1);
}

describe("a model server", { timeout: 240_000 }, () => {
  const model = useModel();
  const startApp = useStartApp(model, { SHOW_REASONING: "true" });

  test("has a test for each row of docs/models.md, and a row for each test", () => {
    for (const [server, quirks] of Map.groupBy(vendorQuirks, (quirk) => quirk.server))
      assert.deepEqual(
        listRows(server),
        quirks.map(({ name }) => name),
      );
  });

  for (const { server, name, ...quirk } of vendorQuirks)
    test(`of the kind of ${server} ${name}`, async () => {
      const app = await startApp();
      model.script = quirk.respond;
      const asking = {
        model: quirk.isPlanned === true ? "scripted+plan" : "scripted",
        messages: [{ role: "user", content: "Hi" }],
        ...quirk.asked,
      };
      for (const count of [quirk.calls, quirk.callsAgain ?? 1]) {
        model.calls.length = 0;
        const { body, status } = await app.post("/v1/chat/completions", asking);
        if (quirk.code === undefined) {
          const [{ message }] = Completion.parse(JSON.parse(body)).choices;
          assert.match(message.content, /So\.$/);
          assert.equal(message.reasoning_content, quirk.reasoning);
        } else assert.equal(Problem.parse(JSON.parse(body)).error.code, quirk.code, `${status} ${body}`);
        assert.equal(model.calls.length, count);
        for (const [field, value] of Object.entries(quirk.sent ?? {}))
          assert.deepEqual(model.calls.at(-1)?.body[field], value, field);
      }
    });
});
