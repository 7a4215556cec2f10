/** Recognizes a full disk by the error thrown. */

/** https://www.sqlite.org/rescode.html */
const sqliteFull = 13;

/** Whether `error`, of Node or SQLite, or the sentence of one, says that the disk has no more room. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return /disk is full|no space left|quota/i.test(String(error));
  if ("errcode" in error && typeof error.errcode === "number") return (error.errcode & 0xff) === sqliteFull;
  return "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
