/** Progress of long work: a line on standard error every two seconds. */

const everyMs = 2_000;

/** Returns a function to call with each new count; it prints one now and then, as a percentage of `total`. */
export function showProgress(label: string, total?: number): (count: number) => void {
  const startMs = performance.now();
  let shownMs = startMs;
  return (count) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < everyMs) return;
    shownMs = nowMs;
    const part = total === undefined ? "" : ` (${Math.round((100 * count) / total)} %)`;
    const seconds = Math.round((nowMs - startMs) / 1_000);
    process.stderr.write(`  ${count.toLocaleString("en")} ${label}${part}, ${seconds} s\n`);
  };
}
