/** A long text at a steady pace: as the reply of a scripted model, or appended to a bare element. */
import { setTimeout as wait } from "node:timers/promises";
import type { Page } from "playwright-core";
import type { ScriptedCall } from "../../test/support/model/scripted-model.ts";

/** How a text is sent. */
export interface Pace {
  readonly text: string;
  /** Characters in each piece. */
  readonly pieceLength: number;
  readonly piecesPerSecond: number;
}

/** How often pieces are sent that are due. */
const tickMs = 2;
/** How often text is appended to the bare element: once a frame. */
const frameMs = 16;

/** Sends the text after a plan, and calls `onQuarter` after each quarter; leaves the reply unfinished. */
export async function sendPaced(
  call: ScriptedCall,
  pace: Pace,
  onQuarter: () => Promise<unknown>,
): Promise<void> {
  call.text("- Write\n---RESPONSE---\n");
  const { text, pieceLength } = pace;
  await runPaced(pace, tickMs, onQuarter, (start, end) => {
    for (let index = start; index < end; index += 1)
      call.text(text.slice(index * pieceLength, (index + 1) * pieceLength));
  });
}

/** Appends the text to a `<pre>` of an empty page, which stays at its end. */
export async function appendPlain(page: Page, pace: Pace, onQuarter: () => Promise<unknown>): Promise<void> {
  await page.evaluate(`{
    const element = document.createElement("pre");
    element.style.whiteSpace = "pre-wrap";
    document.body.append(element);
    globalThis.appendText = (text) => {
      element.append(text);
      document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight;
    };
  }`);
  const { text, pieceLength } = pace;
  await runPaced(pace, frameMs, onQuarter, async (start, end) => {
    await page.evaluate(`appendText(${JSON.stringify(text.slice(start * pieceLength, end * pieceLength))})`);
  });
}

async function runPaced(
  { text, pieceLength, piecesPerSecond }: Pace,
  intervalMs: number,
  onQuarter: () => Promise<unknown>,
  send: (start: number, end: number) => unknown,
): Promise<void> {
  const count = Math.ceil(text.length / pieceLength);
  let sent = 0;
  for (let quarter = 1; quarter <= 4; quarter += 1) {
    const startMs = performance.now();
    const startCount = sent;
    const endCount = Math.round((count * quarter) / 4);
    while (sent < endCount) {
      const due = startCount + ((performance.now() - startMs) / 1_000) * piecesPerSecond;
      const end = Math.min(Math.floor(due), endCount);
      await send(sent, end);
      sent = end;
      await wait(intervalMs);
    }
    await onQuarter();
  }
}
