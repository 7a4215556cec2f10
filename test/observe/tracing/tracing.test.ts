/** The spans of turns and of calls of models, with a real SDK in this process. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { context, propagation, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace";
import { useModels } from "../../support/apps/use-models.ts";
import { openTurn, readResponse } from "../../support/apps/start-app.ts";
import { useWaitingTurns } from "../../flow/tools/use-waiting-turns.ts";

const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);

beforeEach(() => exporter.reset());

/** The finished spans of that name, in the order of their ends. */
function find(name: string): readonly ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

function idOf(span: ReadableSpan | undefined): string | undefined {
  return span?.spanContext().spanId;
}

describe("the span of a call", { timeout: 120_000 }, () => {
  const { models, start } = useModels();

  test("tells which model failed and why, without its words, and the next model has its own span", async () => {
    const app = await start();
    models.primary.script = (call) => call.head(500).end('{"error":{"message":"sk-secret"}}');
    models.backup.say("- p\n---RESPONSE---\n", "Hello.");
    assert.equal((await app.chat("Hi")).status, 200);
    const [turn, ...others] = find("turn");
    const [failed] = find("chat primary-1");
    const [replied] = find("chat backup-1");
    assert.ok(turn && failed && replied && others.length === 0);
    for (const call of [failed, replied]) assert.equal(call.parentSpanContext?.spanId, idOf(turn));
    assert.equal(turn.parentSpanContext, undefined);
    assert.equal(failed.attributes["error.type"], "model_unavailable");
    assert.deepEqual(failed.status, { code: SpanStatusCode.ERROR, message: "model_unavailable" });
    assert.deepEqual(failed.attributes["gen_ai.response.finish_reasons"], ["error"]);
    assert.equal(replied.status.code, SpanStatusCode.UNSET);
    assert.equal(replied.attributes["foreword.model"], "backup");
    assert.equal(turn.attributes["foreword.turn.outcome"], "complete");
    assert.doesNotMatch(JSON.stringify([failed.attributes, failed.status, failed.events]), /secret/);
  });

  test("belongs to its own turn, though turns share a connection one after the other", async () => {
    const app = await start();
    for (let count = 0; count < 3; count += 1) {
      models.primary.say("- p\n---RESPONSE---\n", "Hello.");
      await app.chat("Hi");
    }
    const turns = find("turn");
    const calls = find("chat primary-1");
    assert.equal(new Set(turns.map((turn) => turn.spanContext().traceId)).size, 3);
    assert.deepEqual(
      calls.map((call) => call.parentSpanContext?.spanId),
      turns.map((turn) => idOf(turn)),
    );
    const ports = new Set(models.primary.calls.map(({ remotePort }) => remotePort));
    assert.equal(ports.size, 1, "the connection was used again");
  });

  test("ends when its turn is stopped, without an error", async () => {
    const app = await start();
    const { call, opening } = await openTurn(app, models.primary);
    call.text("- p\n---RESPONSE---\nHello");
    const response = await opening;
    await app.post(`/turns/${String(response.headers["x-turn-id"])}/stop`, undefined);
    await readResponse(response);
    const [stopped] = find("chat primary-1");
    assert.equal(stopped?.status.code, SpanStatusCode.UNSET);
    assert.equal(find("turn")[0]?.attributes["foreword.turn.outcome"], "stopped");
  });
});

describe("the spans of a turn that waits", { timeout: 120_000 }, () => {
  const { there, startWaiting, answer, follow } = useWaitingTurns();

  test("are in one trace, though another replica goes on with it", async () => {
    const turn = await startWaiting(["w__act"]);
    const [waiting] = find("turn");
    assert.equal(waiting?.attributes["foreword.turn.outcome"], "waiting");
    await answer(there, turn, [{ approvalId: turn.approvalIds[0], approved: true }]);
    await follow(there, turn);
    await there.logged(({ msg, turnId }) => msg === "turn" && turnId === turn.turnId);
    const [, ended] = find("turn");
    assert.equal(ended?.attributes["foreword.turn.outcome"], "complete");
    assert.equal(ended?.parentSpanContext?.spanId, idOf(waiting));
    assert.equal(find("chat scripted").length, 2);
    assert.deepEqual(
      find("chat scripted").map((call) => call.parentSpanContext?.spanId),
      [idOf(waiting), idOf(ended)],
    );
  });
});
