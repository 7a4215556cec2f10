/**
 * Fixtures of a suite: each starts something before the suite's tests (or before each of them) and closes it
 * afterwards. Everything a suite has started is closed in reverse order, whatever fails.
 */
import { after, afterEach, before, beforeEach, type SuiteContext, type TestContext } from "node:test";
import type { Clock } from "../../../src/base/clock.ts";
import { startPostgresHarness, type StoreHarness } from "../databases/store-harness.ts";
import { ScriptedModel } from "../model/scripted-model.ts";
import { makeFolder, RunningApp, type LogLine } from "./start-app.ts";

type Variables = Readonly<Record<string, string>>;

/** How many warnings of each app a failed test prints. */
const shownLines = 12;

/** How often a fixture is started: once for its suite, or again for each test. */
export type Lifetime = "suite" | "test";

/** The open resources of each suite or test. */
const opened = new WeakMap<SuiteContext | TestContext, AsyncDisposableStack>();

/** Runs `open` before the tests, and closes everything on its stack after them, last in, first out. */
export function useResource(
  open: (closing: AsyncDisposableStack) => Promise<unknown>,
  lifetime: Lifetime = "suite",
): void {
  const [start, end] = lifetime === "suite" ? [before, after] : [beforeEach, afterEach];
  start(async (context) => {
    const closing = opened.get(context) ?? new AsyncDisposableStack();
    opened.set(context, closing);
    await open(closing);
  });
  // The first of the suite's fixtures closes them all: its hook is the first to run.
  end(async (context) => {
    await opened.get(context)?.disposeAsync();
  });
}

/** A new folder; returns its path, once it is there. */
export function useFolder(lifetime: Lifetime = "suite"): () => string {
  let path = "";
  useResource(async (closing) => {
    const made = await makeFolder();
    closing.defer(() => made.remove());
    path = made.path;
  }, lifetime);
  return () => path;
}

/** A scripted model server. */
export function useModel(lifetime: Lifetime = "suite"): ScriptedModel {
  const model = new ScriptedModel();
  useResource(async (closing) => closing.adopt(await model.start(), () => model.close()), lifetime);
  return model;
}

/** The least that a database offers. */
type StartedDatabase = Pick<StoreHarness, "variables" | "sql" | "stop">;

/** A database that a suite starts. */
class SuiteDatabase<Harness extends StartedDatabase> {
  #harness: Harness | undefined;

  async start(start: () => Promise<Harness>): Promise<this> {
    this.#harness = await start();
    return this;
  }

  /** The database itself. */
  get harness(): Harness {
    if (this.#harness === undefined) throw new Error("the database has not been started");
    return this.#harness;
  }

  get variables(): Variables {
    return this.harness.variables;
  }

  async sql(...statements: string[]): Promise<Record<string, unknown>[]> {
    return await this.harness.sql(...statements);
  }

  async stop(): Promise<void> {
    await this.harness.stop();
  }
}

/** A database that `start` starts. */
export function useDatabase<Harness extends StartedDatabase>(
  start: () => Promise<Harness>,
): SuiteDatabase<Harness> {
  const database = new SuiteDatabase<Harness>();
  useResource(async (closing) => closing.adopt(await database.start(start), () => database.stop()));
  return database;
}

/** Options of {@link useApp}. */
interface AppOptions {
  /** Has the app store there; a fixture that was declared before the app. */
  readonly database?: { readonly variables: Variables } | undefined;
  readonly clock?: Clock | undefined;
  readonly lifetime?: Lifetime;
}

/** The app, calling `model` (named `scripted`), with `variables` on top; it stores only with a database. */
export function useApp(
  model: ScriptedModel,
  variables: Variables | (() => Variables) = {},
  { database, clock, lifetime = "suite" }: AppOptions = {},
): RunningApp {
  const app = new RunningApp();
  useLogOfFailures(() => [app]);
  useResource(async (closing) => {
    const more = typeof variables === "function" ? variables() : variables;
    await app.start(toVariables(model, database, more), clock);
    closing.defer(() => app.close());
  }, lifetime);
  return app;
}

/** Two replicas of the app on one Postgres, by the system's clock unless they have their own. */
export function useReplicas(
  clocks: { readonly here?: Clock; readonly there?: Clock } = {},
  variables: Variables = {},
) {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const here = useApp(model, variables, { database, clock: clocks.here });
  const there = useApp(model, variables, { database, clock: clocks.there });
  return { model, database, here, there };
}

/** The arguments of {@link useApp} after the model. */
export type UseAppArguments = Parameters<typeof useApp> extends [unknown, ...infer Rest] ? Rest : never;

/** Starts an app as {@link useApp} does, when it is called. */
export type StartApp = (variables?: Variables, clock?: Clock) => Promise<RunningApp>;

/**
 * Starts apps during a test, which are closed after it. `variables` and `database` are those of {@link
 * useApp}.
 */
export function useStartApp(
  model: ScriptedModel,
  variables: Variables = {},
  { database }: Pick<AppOptions, "database"> = {},
): StartApp {
  let current: AsyncDisposableStack | undefined;
  let started: RunningApp[] = [];
  useLogOfFailures(() => started);
  useResource(async (closing) => {
    current = closing;
    started = [];
  }, "test");
  return async (more = {}, clock) => {
    if (current === undefined) throw new Error("no test is running");
    const app = await new RunningApp().start(toVariables(model, database, { ...variables, ...more }), clock);
    current.defer(() => app.close());
    started.push(app);
    return app;
  };
}

/** Prints the last warnings of the apps after each test that fails: a status alone does not tell why. */
function useLogOfFailures(apps: () => readonly RunningApp[]): void {
  afterEach((context) => {
    if (!("passed" in context) || context.passed) return;
    for (const line of apps().flatMap(({ logs }) => logs.filter(isWarning).slice(-shownLines)))
      context.diagnostic(JSON.stringify(line));
  });
}

function isWarning({ level }: LogLine): boolean {
  return Number(level) >= 40;
}

/** Returns the variables of a server that asks `model` and stores in `database`, with `more` on top. */
export function toVariables(
  model: ScriptedModel,
  database: AppOptions["database"],
  more: Variables = {},
): Record<string, string> {
  return {
    OPENAI_BASE_URL: model.url,
    OPENAI_MODEL: "scripted",
    ...(database !== undefined && { CHAT_STORE_ENABLED: "true", ...database.variables }),
    ...more,
  };
}

/** Makes a folder that is deleted after the running test; returns its path. */
export async function makeTestFolder(context: TestContext): Promise<string> {
  const folder = await makeFolder();
  context.after(() => folder.remove());
  return folder.path;
}
