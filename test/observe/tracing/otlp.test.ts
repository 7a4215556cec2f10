/** Traces of a real process, with the file that docs/metrics.md shows, by OTLP. */
import assert from "node:assert/strict";
import { readFile, symlink, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { useCommands, useSuiteFolder, type RunningCommand } from "../../command/run-command.ts";
import { useModel, useResource } from "../../support/apps/use-app.ts";
import { OtlpReceiver } from "../../support/clients/otlp-receiver.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const main = join(root, "src/main.ts");
const ids = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };
const traceparent = `00-${ids.trace}-${ids.span}-01`;

/** Tells of everything that is loaded of OpenTelemetry. */
const spy = `import { registerHooks } from "node:module";
registerHooks({
  load(url, context, next) {
    if (url.includes("opentelemetry") || url.includes("observe/tracing/open")) process.stderr.write("LOADED " + url + "\\n");
    return next(url, context);
  },
});`;

describe("traces", { timeout: 60_000 }, () => {
  const model = useModel();
  const receiver = new OtlpReceiver();
  const folder = useSuiteFolder();
  const run = useCommands();
  useResource(async (closing) => closing.adopt(await receiver.start(), () => receiver.close()));

  /** Runs a server that loads `first` before anything else, through one turn to its end. */
  async function runTurn(first: string): Promise<{ headers: IncomingHttpHeaders; command: RunningCommand }> {
    const variables = {
      PORT: "0",
      CHAT_STORE_ENABLED: "false",
      DATA_DIR: folder.path,
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    };
    const command = run(["serve"], variables, folder.path, [process.execPath, "--import", first, main]);
    const [, url = ""] = await command.printed(/listening +(http:\S+)\n/);
    const next = model.nextCall();
    const asking = fetch(`${url}/stream-chat`, {
      method: "POST",
      headers: { "content-type": "application/json", traceparent, tracestate: "vendor=1" },
      body: JSON.stringify({ messages: [{ sender: "user", text: "secret question" }] }),
    });
    const call = await next;
    call.text("- p\n---RESPONSE---\n").text("secret answer").finish();
    const response = await asking;
    assert.equal(response.status, 200);
    assert.match(await response.text(), /secret answer$/);
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
    assert.match(command.stdout, new RegExp(`"traceId":"${ids.trace}"[^\n]*"msg":"turn"`));
    return { headers: call.headers, command };
  }

  test("reach an OTLP receiver from the documented file: the client's trace, the turn, the call, the model", async () => {
    const page = await readFile(join(root, "docs/metrics.md"), "utf8");
    const [, file = ""] = /^```js\n\/\/ tracing\.mjs\n([^]*?)^```$/m.exec(page) ?? [];
    const path = join(folder.path, "tracing.mjs");
    await writeFile(path, file);
    await symlink(join(root, "node_modules"), join(folder.path, "node_modules"));
    const { headers } = await runTurn(pathToFileURL(path).href);
    const [turn, call] = ["turn", "chat scripted"].map((name) =>
      receiver.spans.find((span) => span.name === name),
    );
    assert.ok(turn && call, "the last spans are sent on shutdown");
    assert.equal(receiver.spans.length, 2);
    assert.deepEqual([turn.traceId, turn.parentSpanId, turn.kind], [ids.trace, ids.span, 1]);
    assert.deepEqual([call.traceId, call.parentSpanId, call.kind], [ids.trace, turn.spanId, 3]);
    assert.deepEqual([turn.service, turn.scope], ["foreword", "foreword"]);
    assert.equal(headers["traceparent"], `00-${ids.trace}-${call.spanId}-01`);
    assert.equal(headers["tracestate"], "vendor=1");
    const { "gen_ai.response.time_to_first_chunk": first, ...attributes } = call.attributes;
    assert.ok(Number(first) > 0 && Number(first) < 60);
    assert.deepEqual(attributes, {
      "foreword.model": "scripted",
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "scripted",
      "gen_ai.request.stream": true,
      "gen_ai.request.temperature": 0.3,
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.response.model": "scripted-1",
      "server.address": "127.0.0.1",
      "server.port": Number(new URL(model.url).port),
    });
    assert.deepEqual(Object.keys(turn.attributes).toSorted(), [
      "foreword.model",
      "foreword.turn.id",
      "foreword.turn.outcome",
      "foreword.turn.storage",
      "foreword.turn.wire",
      "gen_ai.conversation.id",
    ]);
    assert.doesNotMatch(JSON.stringify(receiver.spans), /secret/);
  });

  test("are off without an SDK: nothing of OpenTelemetry is loaded, and models get no header", async () => {
    const { headers, command } = await runTurn(`data:text/javascript,${encodeURIComponent(spy)}`);
    assert.doesNotMatch(command.stderr, /^LOADED/m);
    assert.deepEqual([headers["traceparent"], headers["tracestate"]], [undefined, undefined]);
  });
});
