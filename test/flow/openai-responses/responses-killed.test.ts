/** Responses whose replica is killed: OpenAI's client goes on with another one, and loses no text. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import OpenAI, { APIError } from "openai";
import { Replica } from "../../support/apps/replica.ts";
import { toVariables, useReplicas } from "../../support/apps/use-app.ts";
import { promptOf } from "../../support/clients/ui-chat.ts";

const plan = "- Look\n---RESPONSE---\n";

/** The text of a streamed response, as far as it has come. */
class ReadResponse {
  id = "";
  lastNumber = -1;
  text = "";
  status: string | undefined;
  error: unknown;

  /** Reads events until the text is `enough`, or to the end. */
  async read(stream: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>, enough?: string): Promise<void> {
    try {
      for await (const event of stream) {
        assert.ok(event.sequence_number > this.lastNumber, "numbers rise");
        this.lastNumber = event.sequence_number;
        if (event.type === "response.created") this.id = event.response.id;
        if (event.type === "response.output_text.delta") this.text += event.delta;
        if (event.type === "response.completed") this.status = event.response.status;
        if (this.text === enough) return;
      }
    } catch (error) {
      this.error = error;
    }
  }
}

describe("a response of OpenAI's client, with two replicas", { timeout: 240_000 }, () => {
  const { model, database, here, there } = useReplicas();

  function connect(url: string): OpenAI {
    return new OpenAI({
      apiKey: "sk-none",
      baseURL: `${url}/v1`,
      maxRetries: 0,
      defaultQuery: { userId },
    });
  }
  const userId = randomUUID();

  async function startKilled(context: TestContext): Promise<Replica> {
    const replica = await Replica.start({ ...toVariables(model, database), LOG_LEVEL: "silent" });
    context.after(() => replica.close());
    return replica;
  }

  test("goes on elsewhere if the replica that it reads from is killed", async (context) => {
    const killed = await startKilled(context);
    const next = model.nextCall();
    const started = new ReadResponse();
    const question = { model: "scripted+plan", input: "Hi", stream: true } as const;
    const [stream, call] = await Promise.all([
      connect(here.url).responses.create({ ...question, user: userId }),
      next.then((asked) => asked.text(`${plan}He`)),
    ]);
    await started.read(stream, "He");
    const shown = new ReadResponse();
    await shown.read(await connect(killed.url).responses.retrieve(started.id, { stream: true }), "He");
    killed.kill("SIGKILL");
    call.text("llo.").finish();
    const rest = { stream: true, starting_after: shown.lastNumber } as const;
    await shown.read(await connect(there.url).responses.retrieve(shown.id, rest));
    assert.deepEqual([shown.text, shown.status, shown.error], ["Hello.", "completed", undefined]);
  });

  test("whose own replica is killed ends as interrupted, elsewhere, and can be continued there", async (context) => {
    const killed = await startKilled(context);
    const next = model.nextCall();
    const shown = new ReadResponse();
    const [stream] = await Promise.all([
      connect(killed.url).responses.create({
        model: "scripted+plan",
        input: "Hi",
        stream: true,
        user: userId,
      }),
      next.then((asked) => asked.text(`${plan}He`)),
    ]);
    await shown.read(stream, "He");
    const other = connect(there.url);
    // Another replica has the text once it is saved.
    const saved = new ReadResponse();
    await saved.read(await other.responses.retrieve(shown.id, { stream: true }), "He");
    killed.kill("SIGKILL");
    await killed.restart(); // otherwise others wait for 30 s before they end its turns
    const rest = { stream: true, starting_after: shown.lastNumber } as const;
    await shown.read(await other.responses.retrieve(shown.id, rest));
    assert.ok(shown.error instanceof APIError);
    assert.deepEqual([shown.text, shown.error.code], ["He", "interrupted"]);
    const { status, output_text, error } = await other.responses.retrieve(shown.id);
    assert.deepEqual([status, output_text, error?.code], ["failed", "He", "interrupted"]);
    model.say(`${plan}Again.`);
    const again = await connect(here.url).responses.create({
      model: "scripted+plan",
      input: "Go on",
      previous_response_id: shown.id,
      user: userId,
    });
    assert.equal(again.output_text, "Again.");
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Hi"],
      ["assistant", "He"],
      ["user", "Go on"],
    ]);
  });
});
