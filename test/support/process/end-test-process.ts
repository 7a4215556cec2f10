/** Ends a test file's process when its tests are over, whatever they left open: `npm test` preloads it. */
import { after, afterEach, beforeEach } from "node:test";

/** How long an ended file that failed may take to report, in milliseconds. */
const reportMs = 1_000;
/** How long an ended file may keep its process, in milliseconds. */
const lingerMs = Number(process.env["TEST_LINGER_MS"] ?? 30_000);
/** How long a whole file may take, in milliseconds: a hung hook has no limit of its own. */
const fileMs = Number(process.env["TEST_FILE_MS"] ?? 900_000);

let hasFailed = false;
let isOver = false;
let endTimer: NodeJS.Timeout | undefined;

function end(reason: string): void {
  const open = Array.from(new Set(process.getActiveResourcesInfo())).join(", ");
  process.stderr.write(`${process.argv[1] ?? "a test file"}: ${reason} (open: ${open})\n`);
  process.exit(1);
}

// The runner's own process, which has no file, waits for its files.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) {
  setTimeout(() => end(`the file took longer than ${fileMs} ms`), fileMs).unref();
  beforeEach(() => clearTimeout(endTimer));
  afterEach((context) => {
    if ("passed" in context && !context.passed) hasFailed = true;
    if (isOver) endSoon();
  });
  // This may run too early: before the tests of a file that is still being imported.
  after(() => {
    isOver = true;
    endSoon();
  });
}

function endSoon(): void {
  const [delayMs, reason] = hasFailed
    ? [reportMs, "a test failed and left something open"]
    : [lingerMs, `something kept the process for ${lingerMs} ms after the last test`];
  clearTimeout(endTimer);
  endTimer = setTimeout(() => end(reason), delayMs);
  endTimer.unref();
}
