/** Streams of responses whose connections are cut at random bytes, over and over, with two replicas. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { useReplicas } from "../../support/apps/use-app.ts";
import { SeededRandom } from "../../support/model/seeded-reply.ts";
import { pickCount } from "../../support/process/thoroughness.ts";
import { joinDeltas, readEvents, type ReadEvent } from "../../wires/openai-responses/scripted-log.ts";

const replies = pickCount(5, 100);
const cutsPerReply = 10;
/** The beginning, which a client needs before it can resume: it names the response. */
const beginning = 3_000;
/** The most bytes of a stream that is cut after it. */
const rest = 1_500;
/** Longer than all that is read before the end, so that no stream waits for the model. */
const pieces = Array.from({ length: 80 }, (_, index) => `Stück ${index} 三🙂 "\\" `.repeat(15));

describe("the stream of a response, with two replicas", { timeout: 240_000 }, () => {
  const { model, here, there } = useReplicas();

  test("has equal events however often it is cut and resumed with starting_after", async (context) => {
    const seed = randomUUID();
    context.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    for (let reply = 0; reply < replies; reply += 1) await readCut(random);
    context.diagnostic(`figure: cuts of streams of responses: ${replies * cutsPerReply}`);
  });

  /** Reads a reply that its model sends between the cuts, and compares it with its uncut stream. */
  async function readCut(random: SeededRandom): Promise<void> {
    const user = randomUUID();
    const next = model.nextCall();
    const body = JSON.stringify({ model: "scripted+plan", input: "Hi", user, stream: true });
    const headers = { "content-type": "application/json" };
    const asking = fetch(`${here.url}/v1/responses`, { method: "POST", headers, body });
    const call = await next;
    call.text("- Plän\n---RESPONSE---\n");
    const finishesAt = random.integer(1, cutsPerReply);
    for (const piece of pieces) call.text(piece);
    const seen = [...(await readBytes(await asking, random.integer(beginning, beginning + 2_000)))];
    const [, id] = /"id":"(resp_[^"]*)"/.exec(JSON.stringify(seen[0])) ?? assert.fail();
    for (let cut = 1; cut <= cutsPerReply; cut += 1) {
      if (cut === finishesAt) call.finish();
      const { url } = random.isOneIn(2) ? here : there;
      const after = `starting_after=${seen.at(-1)?.sequence_number}`;
      const response = await fetch(`${url}/v1/responses/${id}?userId=${user}&stream=true&${after}`);
      seen.push(...(await readBytes(response, cut < cutsPerReply ? random.integer(1, rest) : Infinity)));
    }
    const whole = await fetch(`${there.url}/v1/responses/${id}?userId=${user}&stream=true`);
    assert.deepEqual(joinDeltas(seen), joinDeltas(await readBytes(whole, Infinity)));
  }
});

/** Returns the whole events of the first bytes of a stream, whose connection is then cut. */
async function readBytes({ body }: Response, count: number): Promise<readonly ReadEvent[]> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? assert.fail()) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= count) break; // closes the connection
  }
  const text = Buffer.concat(chunks).subarray(0, Math.min(count, length)).toString();
  return readEvents(text.slice(0, text.lastIndexOf("\n\n") + 1));
}
