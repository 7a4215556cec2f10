/** Headers of a model server's response, which may come more than once. */

/** Returns the first value of a header; `undefined` if it is missing. */
export function firstOf(header: string | readonly string[] | undefined): string | undefined {
  return header === undefined || typeof header === "string" ? header : header[0];
}
