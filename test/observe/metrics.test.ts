/** Metrics of a server: what each counts, under bounded labels, and the text in which they are served. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { describe, test } from "node:test";
import { joinSnapshots, withoutGauges } from "../../src/observe/metrics/join-snapshots.ts";
import { findMetric, metricNames } from "../../src/observe/metrics/metric-table.ts";
import { Metrics } from "../../src/observe/metrics/metrics.ts";
import { toPrometheusText } from "../../src/observe/metrics/prometheus-text.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { openTurn, readResponse } from "../support/apps/start-app.ts";
import { KnowledgeClient } from "../support/clients/knowledge-client.ts";
import { Scrape, scrape } from "../support/clients/prometheus.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";

const uuid = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/;
const message = { messages: [{ sender: "user", text: "Hi" }] };

describe("the metrics of a server", { timeout: 120_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const variables = { METRICS_PORT: "0", LIMIT_CONCURRENT_TURNS: "1" };
  const app = useApp(model, variables, { database });
  const other = useApp(model, { METRICS_PORT: "0" }, { database });

  test("count turns by outcome, wire and configured model, whatever the model's server calls itself", async () => {
    model.script = (call) => {
      const choices = [
        { index: 0, delta: { content: "- p\n---RESPONSE---\nHello." }, finish_reason: "stop" },
      ];
      call.event({ model: `reported-${randomUUID()}`, choices });
      const details = {
        prompt_tokens_details: { cached_tokens: 2 },
        completion_tokens_details: { reasoning_tokens: 1 },
      };
      call.event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, ...details } });
      call.raw("data: [DONE]\n\n").end();
    };
    await app.post("/stream-chat", message);
    await app.post("/stream-chat", message, { accept: "text/event-stream" });
    await app.post("/stream-chat", message, { accept: "application/json" });
    await app.post("/v1/chat/completions", {
      model: "scripted",
      messages: [{ role: "user", content: "Hi" }],
    });
    await app.post("/v1/responses", { model: "scripted", input: "Hi" });
    const parts = [{ type: "text", text: "Hi" }];
    await app.post("/api/chat", { id: "c1", messages: [{ id: "m1", role: "user", parts }] });
    model.script = (call) => call.head(401).end("no");
    await app.post("/stream-chat", message);
    const found = await scrape(app.metricsUrl);
    assert.deepEqual(
      found.find("foreword_turns_total").map(({ labels, value }) => [...Object.values(labels), value]),
      [
        ["complete", "text", "scripted", 1],
        ["complete", "sse", "scripted", 1],
        ["complete", "json", "scripted", 1],
        ["complete", "openai-chat", "scripted", 1],
        ["complete", "openai-responses", "scripted", 1],
        ["complete", "ui-message", "scripted", 1],
        ["failed", "text", "scripted", 1],
      ],
    );
    const count = (name: string, labels = {}): number => found.sum(`${name}_count`, labels);
    assert.equal(count("foreword_turn_duration_seconds"), 7);
    assert.equal(count("foreword_time_to_first_text_seconds"), 6);
    assert.equal(count("foreword_model_time_to_first_chunk_seconds", { model: "scripted" }), 6);
    assert.equal(count("foreword_model_call_seconds", { model: "scripted", result: "ok" }), 6);
    assert.equal(count("foreword_model_call_seconds", { result: "model_unauthorized" }), 1);
    const tokens = found
      .find("foreword_tokens_total", { model: "scripted" })
      .map(({ labels, value }) => [labels["type"], value]);
    assert.deepEqual(Object.fromEntries(tokens), { input: 42, output: 18, reasoning: 6, cached_input: 12 });
  });

  test("show running turns, their followers here and elsewhere, and who was refused by a limit", async () => {
    const { call, opening } = await openTurn(app, model);
    call.text("- p\n---RESPONSE---\n");
    const response = await opening;
    const path = `/turns/${String(response.headers["x-turn-id"])}/stream`;
    const following = await other.open("GET", path);
    assert.equal((await app.chat("Me, too")).status, 429);
    const here = await scrape(app.metricsUrl);
    const there = await scrape(other.metricsUrl);
    assert.equal(here.sum("foreword_turns_running"), 1);
    assert.equal(here.sum("foreword_followers", { remote: "false" }), 1);
    assert.equal(there.sum("foreword_followers", { remote: "true" }), 1);
    assert.equal(there.sum("foreword_turns_running"), 0);
    assert.equal(here.sum("foreword_limited_total", { limit: "concurrent-turns" }), 1);
    call.text("Done.").finish();
    await Promise.all([readResponse(response), readResponse(following)]);
    assert.equal((await scrape(app.metricsUrl)).sum("foreword_turns_running"), 0);
    assert.equal((await scrape(other.metricsUrl)).sum("foreword_followers"), 0);
  });

  test("measure the time between the pieces of a reply as they are read", async () => {
    const before = await scrape(app.metricsUrl);
    const { call, opening } = await openTurn(app, model);
    call.text("- p\n---RESPONSE---\none ");
    const response = await opening;
    for (const piece of ["two ", "three ", "four "]) {
      const next = once(response, "data");
      call.text(piece);
      await next;
    }
    call.finish();
    await readResponse(response);
    const after = await scrape(app.metricsUrl);
    const name = "foreword_time_per_output_chunk_seconds";
    assert.equal(after.sum(`${name}_count`) - before.sum(`${name}_count`), 3);
    assert.ok(after.sum(`${name}_sum`) > before.sum(`${name}_sum`));
  });

  test("have labels from bounded sets, whatever clients send", async () => {
    const ask = async (): Promise<number> => {
      const id = randomUUID();
      await app.get(`/turns/${id}`);
      await app.get(`/nowhere/${id}`);
      await app.get(`/turns/%zz${id}`);
      await app.get(`/healthz?${id}`, {}, "PROPFIND");
      await app.post("/v1/chat/completions", { model: id, messages: [{ role: "user", content: "Hi" }] });
      await app.post(`/knowledge-bases/${id}`, { name: id });
      return (await scrape(app.metricsUrl)).samples.length;
    };
    const first = await ask();
    assert.equal(await ask(), first);
    const found = await scrape(app.metricsUrl);
    for (const { labels } of found.samples) assert.doesNotMatch(JSON.stringify(labels), uuid);
    const notFound = { method: "GET", route: "/turns/:turnId", status: "404" };
    assert.equal(found.sum("foreword_http_requests_total", notFound), 2);
    assert.ok(found.sum("foreword_http_requests_total", { method: "other", route: "other" }) >= 2);
  });

  test("are all there, with the labels of their definition, once documents were read, too", async () => {
    const client = new KnowledgeClient(app, randomUUID());
    await client.addRead("notes", "The capital of France is Paris.");
    await client.addRead("notes", Buffer.from("%PDF-1.7 broken"), "broken.pdf");
    await app.logged(({ msg }) => msg === "document read");
    await app.logged(({ msg }) => msg === "document could not be read");
    for (;;) {
      const found = await scrape(app.metricsUrl);
      // The event loop is first checked after a moment.
      if (found.sum("foreword_event_loop_delay_seconds_count") === 0) continue;
      assert.deepEqual([...found.types.keys()], metricNames);
      for (const name of metricNames) {
        const { type, labels } = findMetric(name);
        assert.equal(found.types.get(name), type, name);
        const samples = found.find(type === "histogram" ? `${name}_count` : name);
        assert.ok(samples.length > 0, name);
        for (const sample of samples) assert.deepEqual(Object.keys(sample.labels), labels, name);
      }
      assert.equal(found.sum("foreword_documents_total", { result: "read" }), 1);
      assert.equal(found.sum("foreword_documents_total", { result: "failed" }), 1);
      const begun = { function: "chat_begin_turn", result: "ok" };
      assert.ok(found.sum("foreword_store_call_seconds_count", begun) >= 7);
      assert.equal(found.sum("foreword_db_pool_max"), 10);
      assert.equal(found.sum("foreword_workers"), 1);
      assert.ok(found.sum("foreword_journal_bytes") > 0);
      return;
    }
  });

  test("are served at /metrics and, as the same snapshot in JSON, at /metrics.json, and nowhere on the public port", async () => {
    assert.equal((await app.get("/metrics")).status, 404);
    const response = await fetch(`${app.metricsUrl}.json`);
    const snapshot: Record<string, unknown> = Object(await response.json());
    assert.deepEqual(Object.keys(snapshot).toSorted(), metricNames.toSorted());
    const statuses = await Promise.all([
      fetch(new URL("/", app.metricsUrl)),
      fetch(app.metricsUrl, { method: "POST" }),
      fetch(app.metricsUrl, { method: "HEAD" }),
    ]);
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [404, 405, 200],
    );
  });
});

describe("a snapshot", () => {
  const made = (): Metrics => {
    const metrics = new Metrics();
    metrics.record("foreword_model_call_seconds", { model: 'a"b\\c\nd', result: "ok" }, 0.1);
    metrics.record("foreword_model_call_seconds", { model: 'a"b\\c\nd', result: "ok" }, 1_000);
    metrics.add("foreword_recovered_turns_total", {}, 2);
    metrics.set("foreword_turns_running", {}, 3);
    metrics.set("process_open_fds", {}, 20);
    return metrics;
  };

  test("is written with cumulative buckets, and values of labels are escaped", () => {
    const text = toPrometheusText(made().toSnapshot());
    const found = new Scrape(text);
    const labels = { model: 'a"b\\c\nd', result: "ok" };
    const buckets = found.find("foreword_model_call_seconds_bucket", labels);
    assert.deepEqual(
      buckets
        .map(({ labels: { le }, value }) => [le, value])
        .filter(([le]) => le === "0.1" || le === "600" || le === "+Inf"),
      [
        ["0.1", 1],
        ["600", 1],
        ["+Inf", 2],
      ],
    );
    assert.equal(found.sum("foreword_model_call_seconds_sum", labels), 1_000.1);
    assert.equal(found.sum("foreword_model_call_seconds_count", labels), 2);
  });

  test("of two processes is the sum, but for gauges that have no sum", () => {
    const [one, other] = [made().toSnapshot(), made().toSnapshot()];
    const found = new Scrape(toPrometheusText(joinSnapshots([one, other, {}])));
    assert.equal(found.sum("foreword_recovered_turns_total"), 4);
    assert.equal(found.sum("foreword_turns_running"), 6);
    assert.equal(found.sum("process_open_fds"), 20);
    assert.equal(found.sum("foreword_model_call_seconds_count"), 4);
    const counters = new Scrape(toPrometheusText(joinSnapshots([one, withoutGauges(other)])));
    assert.deepEqual(
      [counters.sum("foreword_recovered_turns_total"), counters.sum("foreword_turns_running")],
      [4, 3],
    );
  });
});
