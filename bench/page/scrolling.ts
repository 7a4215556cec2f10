/** The frames that Chromium draws while a long conversation, or a long list of them, is scrolled. */
import { randomUUID } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { z } from "zod";
import { writeLongText } from "./long-texts.ts";
import type { Server } from "./first-reply.ts";

const messageCount = 4_999;
const seconds = 5;
/** How far each frame scrolls, in pixels: 3,600 a second at 60 frames. */
const stepPixels = 60;

const Frames = z.array(z.number());

/** The frames of a few seconds of scrolling. */
export interface Scrolling {
  readonly framesPerSecond: number;
  /** The share of the time in which a frame took longer than two of 60 a second. */
  readonly lateShare: number;
  readonly longestMs: number;
}

/** Scrolls the element up or down by a step a frame; resolves with the frames' times. */
function toScript(selector: string, step: number): string {
  return `new Promise((resolve) => {
    const element = document.querySelector(${JSON.stringify(selector)});
    const times = [];
    const draw = (time) => {
      times.push(time);
      if (time - times[0] > ${seconds * 1_000}) return resolve(times);
      element.scrollBy({ top: ${step}, behavior: "instant" });
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  })`;
}

async function scroll(page: Page, selector: string, step: number): Promise<Scrolling> {
  const times = Frames.parse(await page.evaluate(toScript(selector, step)));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const sum = (list: readonly number[]): number => list.reduce((total, gap) => total + gap, 0);
  return {
    framesPerSecond: (1_000 * gaps.length) / sum(gaps),
    lateShare: sum(gaps.filter((gap) => gap > 34)) / sum(gaps),
    longestMs: Math.max(...gaps),
  };
}

/** Stores a conversation of 5,000 messages, half of them in Markdown; resolves with its id. */
async function writeConversation({ url, model }: Server, userId: string): Promise<string> {
  model.script = (call) => call.text("- Look\n---RESPONSE---\nHello.").finish();
  const conversationId = randomUUID();
  const text = writeLongText("mixed", 2_000);
  const messages = Array.from({ length: messageCount }, (_, index) =>
    index % 2 === 0
      ? { sender: "user", text: `Question ${index}` }
      : { sender: "assistant", text: `Reply ${index}.\n\n${text.slice(0, (index * 97) % 2_000)}` },
  );
  const body = JSON.stringify({ messages, conversationId, userId });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/stream-chat`, { method: "POST", headers, body });
  if (!response.ok || !(await response.text()).endsWith("Hello."))
    throw new Error(`status ${response.status}`);
  const path = `${url}/conversations/${conversationId}/messages?userId=${userId}&limit=1`;
  while (!(await (await fetch(path)).text()).includes("Hello.")); // until it is stored
  return conversationId;
}

/** Scrolls up through a conversation of 5,000 messages. */
export async function scrollConversation(browser: Browser, server: Server): Promise<Scrolling> {
  const userId = randomUUID();
  const conversationId = await writeConversation(server, userId);
  const item = { name: "foreword.user", value: userId };
  const origins = [{ origin: server.url, localStorage: [item] }];
  const context = await browser.newContext({
    viewport: { width: 1_280, height: 800 },
    storageState: { cookies: [], origins },
  });
  const page = await context.newPage();
  await page.goto(`${server.url}/#/c/${conversationId}`);
  await page.locator(".message-row").getByText("Hello.", { exact: true }).waitFor();
  const scrolling = await scroll(page, ".messages", -stepPixels);
  await context.close();
  return scrolling;
}

/** The yardstick: the same texts, all of them in one plain element. */
export async function scrollPlain(browser: Browser): Promise<Scrolling> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } });
  const text = writeLongText("mixed", 2_000);
  await page.evaluate(`{
    const element = document.createElement("div");
    element.style.cssText = "height: 700px; overflow: auto; white-space: pre-wrap";
    element.className = "plain";
    element.append(${JSON.stringify(text)}.repeat(${messageCount / 4}));
    document.body.append(element);
    element.scrollTop = element.scrollHeight;
  }`);
  const scrolling = await scroll(page, ".plain", -stepPixels);
  await page.close();
  return scrolling;
}
