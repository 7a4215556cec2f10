/**
 * `npm run bench:page`: measures how much of its main thread a long reply costs the page, by quarter, beside
 * the same text appended to a bare element.
 */
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { z } from "zod";
import { startApp } from "../test/support/apps/start-app.ts";
import { buildPage } from "../test/support/browser/built-page.ts";
import { launchChromium, withoutBrowser } from "../test/support/browser/chromium.ts";
import { ScriptedModel } from "../test/support/model/scripted-model.ts";
import { timeBareReply, timeFirstReply, type FirstReply, type Server } from "./page/first-reply.ts";
import { textKinds, writeLongText } from "./page/long-texts.ts";
import { appendPlain, sendPaced, type Pace } from "./page/paced-reply.ts";
import { PageTrace, type Work } from "./page/page-trace.ts";
import { scrollConversation, scrollPlain, type Scrolling } from "./page/scrolling.ts";

const help = `Usage: npm run bench:page -- [options]

Streams a reply into the page in Chromium, and prints the processor time of the page's main thread: script, style
and layout, paint, all tasks, and the longest one, for each quarter of the text and for its end. Then the same
reply again, for the memory after each quarter. The yardstick is the same text appended to a <pre>.

Options:
  --kind a,b     any of ${textKinds.join(", ")} (mixed)
  --length <n>   characters of the reply (2080000)
  --piece <n>    characters in a piece (400)
  --pace <n>     pieces a second (500)
  --first        measures instead how soon a reply is seen after the page is opened with an empty cache; the
                 yardstick is a bare page that posts the question and appends the reply
  --scroll       measures instead the frames while a conversation of 5,000 messages is scrolled up by 60 pixels a
                 frame; the yardstick is as much text in one element
  --runs <n>     how often either (10)
  -h, --help     prints this help
`;

const Count = z.coerce.number().int().positive();
const { values } = parseArgs({
  options: {
    kind: { type: "string", default: "mixed" },
    length: { type: "string", default: "2080000" },
    piece: { type: "string", default: "400" },
    pace: { type: "string", default: "500" },
    first: { type: "boolean", default: false },
    scroll: { type: "boolean", default: false },
    runs: { type: "string", default: "10" },
    help: { type: "boolean", short: "h", default: false },
  },
});

/** Waits by itself: Playwright's locators would look at the whole page again and again. */
const untilOver = `new Promise((resolve) => {
  const look = () => {
    const isOver = document.querySelector("article.reply[aria-busy=true]") === null;
    setTimeout(isOver ? resolve : look, isOver ? 1000 : 50);
  };
  look();
})`;

/** Returns the memory of a page after a garbage collection. */
async function readMemory(page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await session.send("Performance.enable");
  const { metrics } = await session.send("Performance.getMetrics");
  await session.detach();
  const find = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  return `${(find("JSHeapUsedSize") / 1e6).toFixed(1)} MB of script objects, ${find("Nodes")} nodes`;
}

/** Streams a reply into a new page; `onQuarter` is called after each quarter, and at its end. */
async function streamReply(
  browser: Browser,
  { url, model }: Server,
  pace: Pace,
  onStart: (page: Page) => Promise<() => Promise<unknown>>,
): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
  const page = await context.newPage();
  await page.goto(url);
  const next = model.nextCall();
  await page.getByRole("textbox", { name: "Write a message" }).fill("Write");
  await page.keyboard.press("Enter");
  const call = await next;
  const onQuarter = await onStart(page);
  await sendPaced(call, pace, onQuarter);
  call.finish();
  await page.evaluate(untilOver);
  await onQuarter();
  await context.close();
}

async function traceReply(browser: Browser, server: Server, pace: Pace): Promise<readonly Work[]> {
  let works: readonly Work[] = [];
  await streamReply(browser, server, pace, async (page) => {
    const trace = await PageTrace.start(browser, page);
    let parts = 0;
    return async () => {
      await trace.mark();
      parts += 1;
      if (parts === 5) works = await trace.stop(); // the four quarters and the end
    };
  });
  return works;
}

async function tracePlain(browser: Browser, pace: Pace): Promise<readonly Work[]> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } });
  const trace = await PageTrace.start(browser, page);
  await appendPlain(page, pace, async () => await trace.mark());
  const works = await trace.stop();
  await page.close();
  return works;
}

async function measureMemory(browser: Browser, server: Server, pace: Pace): Promise<readonly string[]> {
  const lines: string[] = [];
  await streamReply(browser, server, pace, (page) =>
    Promise.resolve(async () => lines.push(await readMemory(page))),
  );
  return lines;
}

function toLines(name: string, works: readonly Work[]): string[] {
  const round = (value: number) => value.toFixed(0);
  const [first, , , last] = works;
  const ratio = first === undefined || last === undefined ? NaN : last.allMs / first.allMs;
  const lines = works.map((work, index) => {
    const { scriptMs, layoutMs, paintMs, allMs, longestMs, longest, longCount } = work;
    const part = index === 4 ? "end" : `quarter ${index + 1}`;
    const longTask = `${round(longestMs)} (${longest})`;
    return `| ${name}, ${part} | ${[scriptMs, layoutMs, paintMs, allMs].map(round).join(" | ")} | ${longTask} | ${longCount} |`;
  });
  return [...lines, `| ${name}, quarter 4 / quarter 1 | | | | ${ratio.toFixed(2)} | | |`];
}

function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** Prints how soon a reply is seen after the page is opened. */
async function runFirst(browser: Browser, server: Server): Promise<void> {
  const own: FirstReply[] = [];
  const bare: FirstReply[] = [];
  for (let count = 0; count < Count.parse(values.runs); count += 1) {
    own.push(await timeFirstReply(browser, server));
    bare.push(await timeBareReply(browser, server));
  }
  say(
    "| ms since the navigation began, median (slowest) | a question can be typed | first piece of the answer |",
  );
  say("|---|---:|---:|", toFirstLine("the page", own), toFirstLine("yardstick", bare));
}

/** Returns the median of figures, and the largest. */
function toFigures(figures: readonly number[]): string {
  const sorted = figures.toSorted((one, other) => one - other);
  return `${(sorted[sorted.length >> 1] ?? 0).toFixed(0)} (${(sorted.at(-1) ?? 0).toFixed(0)})`;
}

function toFirstLine(name: string, times: readonly FirstReply[]): string {
  const ready = toFigures(times.map(({ readyMs }) => readyMs));
  return `| ${name} | ${ready} | ${toFigures(times.map(({ shownMs }) => shownMs))} |`;
}

/** Prints the frames while a long conversation is scrolled. */
async function runScroll(browser: Browser, server: Server): Promise<void> {
  say("| median (worst) | frames a second | % of the time in frames over 34 ms | longest frame, ms |");
  say("|---|---:|---:|---:|");
  const own: Scrolling[] = [];
  const plain: Scrolling[] = [];
  for (let count = 0; count < Count.parse(values.runs); count += 1) {
    own.push(await scrollConversation(browser, server));
    plain.push(await scrollPlain(browser));
  }
  say(toScrollLine("5,000 messages", own), toScrollLine("yardstick", plain));
}

function toScrollLine(name: string, scrollings: readonly Scrolling[]): string {
  const rates = toFigures(scrollings.map(({ framesPerSecond }) => -framesPerSecond)).replaceAll("-", "");
  const shares = toFigures(scrollings.map(({ lateShare }) => 100 * lateShare));
  return `| ${name} | ${rates} | ${shares} | ${toFigures(scrollings.map(({ longestMs }) => longestMs))} |`;
}

async function run(browser: Browser, server: Server): Promise<void> {
  const kinds = z.array(z.enum(textKinds)).parse(values.kind.split(","));
  say(
    "| ms of processor time | script | style and layout | paint | all | longest task | over 50 ms |",
    "|---|---:|---:|---:|---:|---:|---:|",
  );
  const memory: string[] = [];
  for (const kind of kinds) {
    const pace: Pace = {
      text: writeLongText(kind, Count.parse(values.length)),
      pieceLength: Count.parse(values.piece),
      piecesPerSecond: Count.parse(values.pace),
    };
    say(...toLines(kind, await traceReply(browser, server, pace)));
    if (kind === kinds[0]) say(...toLines("yardstick", await tracePlain(browser, pace)));
    for (const [index, line] of (await measureMemory(browser, server, pace)).entries())
      memory.push(`${kind}, ${index === 4 ? "end" : `quarter ${index + 1}`}: ${line}`);
  }
  say("", ...memory);
}

if (values.help) process.stdout.write(help);
else if (withoutBrowser !== false) throw new Error(withoutBrowser);
else {
  await buildPage();
  await using closing = new AsyncDisposableStack();
  const model = closing.adopt(await ScriptedModel.start(), (started) => started.close());
  const store = values.first || values.scroll ? { CHAT_STORE_ENABLED: "true" } : {};
  const variables = {
    ...store,
    OPENAI_BASE_URL: model.url,
    OPENAI_API_KEY: "key",
    OPENAI_MODEL: "scripted-1",
  };
  const app = closing.adopt(await startApp(variables), (started) => started.close());
  const browser = closing.adopt(await launchChromium(), (launched) => launched.close());
  const measure = values.first ? runFirst : values.scroll ? runScroll : run;
  await measure(browser, { url: app.url, model });
}
