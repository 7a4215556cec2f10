/** The flags of the processes that run tests. */

/** Each test has five minutes, unless it says otherwise; a file ends, whatever its tests leave open. */
export const testFlags = ["--import", "./test/support/process/end-test-process.ts", "--test-timeout=300000"];
