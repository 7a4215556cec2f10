/** The programs of `examples/`, each run as its README says. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { assertTwoRuns, examplesFolder, runExample } from "./run-example.ts";

const Package = z.looseObject({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
});

const readPackage = (path: string): z.infer<typeof Package> =>
  Package.parse(JSON.parse(readFileSync(path, "utf8")));

/** The versions that this repository installs. */
const root = readPackage(join(examplesFolder, "../package.json"));
const installed = { ...root.devDependencies, ...root.dependencies };
const folders = readdirSync(examplesFolder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe("an example", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });

  for (const folder of folders)
    test(`${folder} is described, and uses the versions that are tested`, () => {
      const readme = readFileSync(join(examplesFolder, "README.md"), "utf8");
      assert.ok(readme.includes(`](${folder})`), "it is in the list");
      assert.match(readFileSync(join(examplesFolder, folder, "README.md"), "utf8"), /```sh\n/);
      if (folder === "curl" || folder === "copilotkit") return;
      const { engines, dependencies, devDependencies } = readPackage(
        join(examplesFolder, folder, "package.json"),
      );
      assert.deepEqual(engines, { node: ">=22.18" }, "the first that runs TypeScript");
      for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
        if (!version.startsWith("file:"))
          assert.equal(version, Object.entries(installed).find(([known]) => known === name)?.[1], name);
    });

  test("curl streams a reply, resumes it, and reads its turn and its conversation", async () => {
    model.say("- Think\n---RESPONSE---\n", "Boil it.");
    const { code, stdout, stderr } = await runExample("curl", ["./chat.sh", "An egg?"], app.url);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /- Think\n---RESPONSE---\nBoil it\.\n/);
    assert.match(stdout, /tenth byte[^\n]*\n\S*RESPONSE---\nBoil it\.\n/);
    assert.match(stdout, /"status":"complete"/);
    assert.match(stdout, /"content":"An egg\?".*"content":"Boil it\."/);
  });

  test("openai streams a completion and a response with their plans, and continues the response", async () => {
    model.script = (call) => {
      const isFirst = call.body.messages.at(-1)?.content === "Hi";
      if (isFirst) call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
      else call.text("Hi.").finish();
    };
    const { code, stdout, stderr } = await runExample("openai", [process.execPath, "main.ts", "Hi"], app.url);
    assert.equal(code, 0, stderr);
    const plan = String.raw`\nplan: - Think\nanswer: Hello\.\n`;
    const ends = String.raw`response: completed\n\ncontinued: Hi\.\n\nstored: completed, after resp_[\da-f-]{36}\n`;
    assert.match(stdout, new RegExp(`^${plan}completion: ended with stop\n${plan}${ends}$`));
    const sent = model.calls.at(-1)?.body.messages.map(({ role, content }) => [role, content]);
    assert.deepEqual(sent, [
      ["user", "Hi"],
      ["assistant", "Hello."],
      ["user", "Shorter, please."],
    ]);
  });

  test("ag-ui shows plan and answer of two runs of a thread, whose messages the model gets", async () => {
    model.script = (call) => call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
    const { code, stdout, stderr } = await runExample("ag-ui", [process.execPath, "main.ts", "Hi"], app.url);
    assert.equal(code, 0, stderr);
    assertTwoRuns(stdout, model);
  });

  test("tanstack-ai shows a thread with its plans and answers", async () => {
    model.script = (call) => call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
    const program = [process.execPath, "main.ts", "Hi"] as const;
    const { code, stdout, stderr } = await runExample("tanstack-ai", program, app.url);
    assert.equal(code, 0, stderr);
    const reply = "assistant thinking: - Think\nassistant text: Hello.\n";
    assert.equal(stdout, `user text: Hi\n${reply}user text: Go on.\n${reply}`);
  });

  for (const folder of ["langchain", "agents"])
    test(`${folder} runs its tool for the model, and prints the answer`, async () => {
      model.inOrder(
        (call) => call.toolCall("weather", { city: "Oslo" }).finish("tool_calls"),
        (call) => call.text("It is cold.").finish(),
      );
      const { code, stdout, stderr } = await runExample(folder, [process.execPath, "main.ts"], app.url);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /It is cold\.\n$/);
      const { messages = [] } = model.calls.at(-1)?.body ?? {};
      assert.deepEqual(
        messages.slice(-3).map(({ role, content }) => [role, role === "assistant" ? "" : content]),
        [
          ["user", "How warm is it in Oslo?"],
          ["assistant", ""],
          ["tool", "It is 7 degrees in Oslo."],
        ],
      );
    });
});
