/** Agents of LangChain and OpenAI over two replicas that take turns, through the death of one. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { MemorySaver } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import {
  Agent,
  OpenAIChatCompletionsModel,
  Runner,
  tool as toAgentTool,
  type AgentInputItem,
  type RunState,
} from "@openai/agents";
import { createAgent, tool as toChainTool } from "langchain";
import OpenAI from "openai";
import { z } from "zod";
import { askForTwo, City, description, times } from "../support/clients/time-tool.ts";
import { Replica } from "../support/apps/replica.ts";
import { toVariables, useDatabase, useModel, useResource } from "../support/apps/use-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { toToolChunk, type Script } from "../support/model/scripted-model.ts";

const first: Script = askForTwo;
const second: Script = (call) =>
  call.text("Again.").toolCall("get_time", { city: "Lima" }, "call_c").finish("tool_calls");
const last: Script = (call) => call.text("Lima 07:15, ").text("Oslo 13:15.").finish();
const handOver: Script = (call) => call.toolCall("transfer_to_Clock", {}, "call_0").finish("tool_calls");

const answer = "Let me see.\n\nAgain.\n\nLima 07:15, Oslo 13:15.";
const handedOver = ["transfer_to_Clock", "{}", '{"assistant":"Clock"}'];
const calls = [
  ["get_time", '{"city":"Lima"}', "07:15"],
  ["get_time", '{"city":"Oslo"}', "13:15"],
  ["get_time", '{"city":"Lima"}', "07:15"],
];

/** The beginning of a call whose arguments never come. */
const cutCall = {
  index: 0,
  id: "call_x",
  type: "function",
  function: { name: "get_time", arguments: '{"ci' },
};

/** Where an agent runs, and how. */
interface Site {
  readonly user: string;
  readonly streams: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Sends each request to another replica than the one before. */
  readonly fetch: typeof fetch;
  readonly getTime: (city: string) => Promise<string>;
  /** Called for each piece of a stream. */
  readonly onPiece: () => void;
}

/** The application of a library's user. */
interface Application {
  /** Has its agent reply to `text`, which goes on from its state if it fails; resolves with its last text. */
  ask(text: string): Promise<string>;
  /** How often the agent failed, beyond the requests that its library repeated. */
  readonly failures: number;
}

const baseURL = "http://replicas.invalid/v1";
const apiKey = "none";
const maxFailures = 6;

class LangChainApplication implements Application {
  failures = 0;
  readonly #site: Site;
  readonly #agent;

  constructor(site: Site) {
    this.#site = site;
    const { user, headers: defaultHeaders } = site;
    this.#agent = createAgent({
      checkpointer: new MemorySaver(),
      model: new ChatOpenAI({
        model: "scripted",
        apiKey,
        user,
        useResponsesApi: false,
        configuration: { baseURL, defaultHeaders, fetch: site.fetch },
      }),
      tools: [
        toChainTool(({ city }: z.output<typeof City>) => site.getTime(city), {
          name: "get_time",
          description,
          schema: City,
        }),
      ],
    });
  }

  async ask(text: string): Promise<string> {
    let input: { messages: { role: string; content: string }[] } | null = {
      messages: [{ role: "user", content: text }],
    };
    for (;;)
      try {
        return z.string().parse(await this.#run(input));
      } catch (error) {
        this.failures += 1;
        if (this.failures > maxFailures) throw error;
        input = null; // from the last checkpoint
      }
  }

  /** Resolves with the content of the last message. */
  async #run(input: { messages: { role: string; content: string }[] } | null): Promise<unknown> {
    const configurable = { thread_id: this.#site.user };
    if (!this.#site.streams) {
      const { messages } = await this.#agent.invoke(input, { configurable });
      return messages.at(-1)?.content;
    }
    let content: unknown;
    const pieces = await this.#agent.stream(input, { configurable, streamMode: ["messages", "values"] });
    for await (const [mode, state] of pieces)
      if (mode === "values") content = state.messages.at(-1)?.content;
      else this.#site.onPiece();
    return content;
  }
}

class OpenAiApplication implements Application {
  failures = 0;
  readonly #site: Site;
  readonly #runner = new Runner({ tracingDisabled: true });
  #agent;
  #history: AgentInputItem[] = [];

  constructor(site: Site) {
    this.#site = site;
    const { user, headers: defaultHeaders, getTime } = site;
    const client = new OpenAI({ apiKey, baseURL, defaultHeaders, fetch: site.fetch });
    const model = new OpenAIChatCompletionsModel(client, "scripted");
    const shared = { model, modelSettings: { providerData: { user } } };
    const execute = ({ city }: z.output<typeof City>): Promise<string> => getTime(city);
    const clock = new Agent({
      ...shared,
      name: "Clock",
      tools: [toAgentTool({ name: "get_time", description, parameters: City, execute })],
    });
    this.#agent = new Agent({ ...shared, name: "Desk", handoffs: [clock] });
  }

  async ask(text: string): Promise<string> {
    const result = await this.#run([...this.#history, { role: "user", content: text }]);
    this.#history = result.history;
    this.#agent = result.lastAgent ?? this.#agent;
    return z.string().parse(result.finalOutput);
  }

  async #run(start: AgentInputItem[]) {
    if (!this.#site.streams) return await this.#runner.run(this.#agent, start);
    let input: AgentInputItem[] | RunState<undefined, Agent> = start;
    for (;;) {
      const result = await this.#stream(input);
      try {
        for await (const _ of result) this.#site.onPiece();
        await result.completed;
        return result;
      } catch (error) {
        this.failures += 1;
        if (this.failures > maxFailures) throw error;
        input = result.state;
      }
    }
  }

  async #stream(input: AgentInputItem[] | RunState<undefined, Agent>) {
    return await this.#runner.run(this.#agent, input, { stream: true });
  }
}

const Rows = z.array(
  z.object({
    conversation_id: z.string(),
    role: z.string(),
    content: z.string(),
    status: z.string().nullable(),
    is_superseded: z.boolean(),
  }),
);
const Ids = z.array(z.object({ id: z.string() }));
const Page = z.object({
  messages: z.array(
    z.looseObject({
      content: z.string(),
      tools: z.array(z.looseObject({ name: z.string(), input: z.string(), output: z.unknown() })).nullable(),
    }),
  ),
});

describe("an agent in its client, over two replicas", { timeout: 300_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  let replicas: readonly Replica[] = [];
  beforeEach(() => void (model.calls.length = 0));
  useResource(async (closing) => {
    const variables = toVariables(model, database);
    const start = async (): Promise<Replica> =>
      closing.adopt(await Replica.start(variables), (replica) => replica.close());
    replicas = await Promise.all([start(), start()]);
  });

  /** The number of requests so far. */
  let sent = 0;
  /** The replicas that start again, and when each is done. */
  const starting = new WeakMap<Replica, Promise<void>>();
  /** The replica that got the last request. */
  const current = (): Replica => {
    const replica = replicas[sent % 2];
    if (replica === undefined) throw new Error("there are no replicas");
    return replica;
  };
  const toOther: typeof fetch = async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    sent += 1;
    await starting.get(current());
    return await fetch(current().url + pathname, init);
  };

  /** Resolves with a turn of `user` that has saved text, and is none of `others`. */
  async function findSaved(user: string, others: ReadonlySet<string>): Promise<string> {
    for (;;) {
      const rows = await database.sql(
        `select p.turn_id as id from turn_pieces p join turns t on t.id = p.turn_id where t.user_id = '${user}'`,
      );
      const found = Ids.parse(rows).find(({ id }) => !others.has(id));
      if (found !== undefined) return found.id;
    }
  }

  /** Resolves with the path that is shown to `user`: each message's text and tool calls. */
  async function readPath(user: string, conversationId: string): Promise<unknown[]> {
    const path = `/conversations/${conversationId}/messages?userId=${user}`;
    const { messages } = await current().send("GET", path).json(Page);
    return messages.map(({ content, tools }) => [
      content,
      (tools ?? []).map(({ name, input, output }) => [name, input, output]),
    ]);
  }

  /**
   * Checks the rows of `user` once all turns are over: one conversation, one question and one whole reply to
   * it. Resolves with the conversation's id, and the number of replies that were cut off.
   */
  async function checkRows(user: string, made: readonly unknown[]) {
    while (
      (await database.sql(`select from turns where user_id = '${user}' and status = 'running'`)).length > 0
    );
    const rows = Rows.parse(
      await database.sql(
        `select m.conversation_id, m.role, m.content, m.status, m.metadata ? 'superseded_by' as is_superseded
        from messages m where m.user_id = '${user}' order by m.created_at`,
      ),
    );
    const [conversationId = "", ...others] = new Set(rows.map((row) => row.conversation_id));
    assert.deepEqual(others, []);
    assert.equal(rows.filter(({ role }) => role === "user").length, 1);
    const replies = rows.filter(({ role, is_superseded: isSuperseded }) => role !== "user" && !isSuperseded);
    const cut = replies.filter(({ status }) => status === "interrupted");
    // An attempt that said nothing is shown only as the one that came after it.
    for (const { content } of cut) assert.match(content, /Half$/);
    assert.deepEqual([replies.length, replies.at(-1)?.status], [cut.length + 1, "complete"]);
    assert.deepEqual(await readPath(user, conversationId), [
      ["Hi", []],
      [answer, made],
    ]);
    return { conversationId, cut: cut.length };
  }

  for (const [library, Application, opening, made] of [
    ["LangChain", LangChainApplication, [], calls],
    ["OpenAI's agents", OpenAiApplication, [handOver], [handedOver, ...calls]],
  ] as const)
    for (const streams of [true, false]) {
      const steps = [...opening, first, second, last];
      const how = streams ? "streamed" : "not streamed";

      test(`of ${library} goes on after the death of one between its steps, ${how}`, async () => {
        const user = randomUUID();
        const ran: string[] = [];
        let dead: Replica | undefined;
        const getTime = async (city: string): Promise<string> => {
          ran.push(city);
          if (dead === undefined) await kill((dead = current()));
          return times[city] ?? "";
        };
        const site = { user, streams, headers: {}, fetch: toOther, getTime, onPiece: () => {} };
        const application = new Application(site);
        const sentBefore = sent;
        model.inOrder(...steps);
        assert.equal(await application.ask("Hi"), "Lima 07:15, Oslo 13:15.");
        // The library repeated a request that the dead one did not take.
        assert.ok(sent - sentBefore > steps.length);
        assert.deepEqual([ran, model.calls.length], [["Lima", "Oslo", "Lima"], steps.length]);
        await dead?.restart();
        const { conversationId, cut } = await checkRows(user, made);
        assert.equal(cut, 0);
        await checkNext(application, user, conversationId, made);
      });

      test(`of ${library} goes on after the death of the one in each of its steps, ${how}`, async () => {
        const user = randomUUID();
        const ran: string[] = [];
        let isHalfway = false;
        const dead = new Set<string>();
        const fall = async (): Promise<void> => {
          isHalfway = false;
          const replica = current();
          // Turns that died before may still have text, until they are recovered.
          if (streams) dead.add(await findSaved(user, dead));
          await kill(replica);
          starting.set(replica, replica.restart());
        };
        const half: Script = (call) => {
          call.text("Half").event(toToolChunk(cutCall));
          isHalfway = true;
          if (!streams) void fall();
        };
        const application = new Application({
          user,
          streams,
          // The reply to the first message may be lost: nothing but this tells a retry from another chat.
          headers: { "x-conversation-id": randomUUID() },
          fetch: toOther,
          getTime: async (city) => {
            ran.push(city);
            return times[city] ?? "";
          },
          onPiece: () => void (isHalfway && fall()),
        });
        model.inOrder(...steps.flatMap((step) => [half, step]));
        assert.equal(await application.ask("Hi"), "Lima 07:15, Oslo 13:15.");
        assert.equal(application.failures, streams ? steps.length : 0);
        assert.deepEqual([ran, model.calls.length], [["Lima", "Oslo", "Lima"], 2 * steps.length]);
        for (const replica of replicas) await starting.get(replica);
        const { conversationId, cut } = await checkRows(user, made);
        if (streams) assert.equal(cut, steps.length);
        await checkNext(application, user, conversationId, made);
      });
    }

  /** Checks that a question after the reply goes on in the same conversation. */
  async function checkNext(
    application: Application,
    user: string,
    conversationId: string,
    made: readonly unknown[],
  ): Promise<void> {
    model.say("You are welcome.");
    assert.equal(await application.ask("Thanks"), "You are welcome.");
    assert.deepEqual(await readPath(user, conversationId), [
      ["Hi", []],
      [answer, made],
      ["Thanks", []],
      ["You are welcome.", []],
    ]);
  }
});

/** Resolves once it is dead. */
async function kill(replica: Replica): Promise<void> {
  replica.kill("SIGKILL");
  await replica.exit();
}
