/** The largest message that a tool server may send, and the responses put in the place of others. */
import { mebibyte } from "../../base/sizes.ts";

/** A larger message is discarded while it arrives. A result is cut to far less afterwards. */
export const maxMessageBytes = 4 * mebibyte;

/** Codes of errors that stand for a response that never arrived. No server uses them. */
export const tooLargeCode = -31_901;
/** As {@link tooLargeCode}: the connection was cut before the response. */
export const cutCode = -31_902;

/** Returns the JSON of an error response to the request `id`. */
export function toErrorResponse(id: number | string, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } });
}
