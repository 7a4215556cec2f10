/**
 * How often tests repeat random work: `npm run test:thorough` sets `FOREWORD_THOROUGH` and repeats it
 * more.
 */

/** Returns `usual`, or `thorough` in a thorough run. */
export function pickCount(usual: number, thorough: number): number {
  return process.env["FOREWORD_THOROUGH"] === "true" ? thorough : usual;
}
