/** Owns how long work tells how far it is: a line on standard error every two seconds. */

const everyMs = 2_000;

/** Returns a function that is told a count again and again, of `total` if that is known, and writes it down now and then. */
export function showProgress(what: string, total?: number): (count: number) => void {
  const startMs = performance.now();
  let shownMs = startMs;
  return (count) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < everyMs) return;
    shownMs = nowMs;
    const part = total === undefined ? "" : ` (${Math.round((100 * count) / total)} %)`;
    const seconds = Math.round((nowMs - startMs) / 1_000);
    process.stderr.write(`  ${count.toLocaleString("en")} ${what}${part}, ${seconds} s\n`);
  };
}
