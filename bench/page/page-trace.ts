/** The time that a page's main thread spends, from Chromium's own trace. */
import type { Browser, Page } from "playwright-core";
import { z } from "zod";

const Event = z.object({
  name: z.string(),
  ph: z.string(),
  pid: z.number(),
  tid: z.number(),
  ts: z.number(),
  dur: z.number().default(0),
  tdur: z.number().optional(),
  args: z.looseObject({ name: z.string().optional() }).default({}),
});
const Trace = z.object({ traceEvents: z.array(z.unknown()) });
type TraceEvent = z.infer<typeof Event>;

/** Names of events, by the kind of work that they are. */
const kinds: Readonly<Record<string, "script" | "layout" | "paint">> = {
  FunctionCall: "script",
  EvaluateScript: "script",
  FireAnimationFrame: "script",
  TimerFire: "script",
  RunMicrotasks: "script",
  "v8.callFunction": "script",
  Layout: "layout",
  UpdateLayoutTree: "layout",
  PrePaint: "paint",
  Paint: "paint",
  Layerize: "paint",
  Commit: "paint",
};

/** The work between two marks, in milliseconds of processor time. */
export interface Work {
  readonly scriptMs: number;
  readonly layoutMs: number;
  readonly paintMs: number;
  /** All tasks, with those of no such kind. */
  readonly allMs: number;
  /** The longest single task, and the work in it. */
  readonly longestMs: number;
  readonly longest: string;
  /** How many took longer than 50 ms. */
  readonly longCount: number;
}

/** Traces a page from now on. */
export class PageTrace {
  readonly #browser: Browser;
  readonly #page: Page;
  #marks = 0;

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser;
    this.#page = page;
  }

  /** Starts to trace; {@link stop} ends it. */
  static async start(browser: Browser, page: Page): Promise<PageTrace> {
    await browser.startTracing(page, {
      categories: ["devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing"],
    });
    const trace = new PageTrace(browser, page);
    await trace.mark();
    return trace;
  }

  /** Ends one part, and begins the next. */
  async mark(): Promise<void> {
    await this.#page.evaluate(`performance.mark("bench-${this.#marks}")`);
    this.#marks += 1;
  }

  /** Returns the work of each part between two marks. */
  async stop(): Promise<Work[]> {
    const bytes = await this.#browser.stopTracing();
    const events = Trace.parse(JSON.parse(bytes.toString())).traceEvents.flatMap((event) => {
      const parsed = Event.safeParse(event);
      return parsed.success ? [parsed.data] : [];
    });
    const marks = events
      .filter(({ name }) => name.startsWith("bench-"))
      .toSorted((one, other) => one.ts - other.ts);
    const [first] = marks;
    if (first === undefined) throw new Error("the trace has no marks");
    const own = events
      .filter(({ pid, tid, ph }) => pid === first.pid && tid === first.tid && ph === "X")
      .toSorted((one, other) => one.ts - other.ts || other.dur - one.dur);
    return marks.slice(1).map((mark, index) => toWork(own, marks[index]?.ts ?? 0, mark.ts));
  }
}

function toWork(events: readonly TraceEvent[], start: number, end: number): Work {
  const sums = { script: 0, layout: 0, paint: 0 };
  let allMs = 0;
  let longCount = 0;
  let longest: TraceEvent | undefined;
  const inside = events.filter(({ ts }) => ts >= start && ts < end);
  for (const event of inside) {
    if (event.name !== "RunTask") continue;
    allMs += toMs(event);
    if (toMs(event) > 50) longCount += 1;
    if (longest === undefined || toMs(event) > toMs(longest)) longest = event;
  }
  addKinds(inside, sums);
  const parts = { script: 0, layout: 0, paint: 0 };
  if (longest !== undefined) {
    const { ts, dur } = longest;
    addKinds(
      inside.filter((event) => event.ts >= ts && event.ts < ts + dur),
      parts,
    );
  }
  return {
    scriptMs: sums.script,
    layoutMs: sums.layout,
    paintMs: sums.paint,
    allMs,
    longestMs: longest === undefined ? 0 : toMs(longest),
    longest: Object.entries(parts)
      .map(([kind, ms]) => `${kind} ${ms.toFixed(0)}`)
      .join(", "),
    longCount,
  };
}

/** Adds the time of the outermost events of each kind, without layout that a script asked for. */
function addKinds(events: readonly TraceEvent[], sums: Record<"script" | "layout" | "paint", number>): void {
  const ends = { script: 0, layout: 0, paint: 0 };
  for (const event of events) {
    const kind = kinds[event.name];
    if (kind === undefined || event.ts < ends[kind]) continue;
    ends[kind] = event.ts + event.dur;
    sums[kind] += toMs(event);
    if (kind === "layout" && event.ts < ends.script) sums.script -= toMs(event);
  }
}

function toMs({ tdur, dur }: TraceEvent): number {
  return (tdur ?? dur) / 1_000;
}
