/** The meaning of the client library's errors. */
import { maxMessageBytes, cutCode, tooLargeCode } from "./transport/message-limits.ts";
import { mebibyte } from "../base/sizes.ts";
import type { Sdk } from "./transport/sdk.ts";
import { cutAt } from "./bounded-json.ts";

const maxSentenceLength = 500;
const maxCauses = 4;
/** Errors before anything was sent. */
const unsentCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * A failed call. `failed`: the server has refused it, or its result cannot be used. `unsent`: it never
 * arrived. `lost`: the connection is lost, and with it whether the tool ran.
 */
export interface Failure {
  readonly type: "failed" | "unsent" | "lost";
  readonly sentence: string;
}

/** Returns the meaning of an error of a call that was not stopped. */
export function judgeFailure(error: unknown, sdk: Sdk): Failure {
  const sentence = toSentence(error);
  if (error instanceof sdk.ProtocolError) return judgeResponse(error.code, sentence);
  if (error instanceof sdk.SdkHttpError) return judgeStatus(error.status ?? 0, sentence);
  if (error instanceof sdk.SdkError) {
    const { NotConnected, InvalidResult, ClientHttpUnexpectedContent, UnsupportedResultType } =
      sdk.SdkErrorCode;
    if (error.code === NotConnected) return { type: "unsent", sentence };
    if (error.code === UnsupportedResultType)
      return {
        type: "failed",
        sentence: "The tool asks for more input during a call, which is not supported.",
      };
    if (error.code === InvalidResult || error.code === ClientHttpUnexpectedContent)
      return {
        type: "failed",
        sentence: "The tool's server sent a result that is not valid. The tool may have run.",
      };
    return { type: "lost", sentence };
  }
  const isUnsent = listCauses(error).some(
    (cause) =>
      ("code" in cause && unsentCodes.has(String(cause.code))) ||
      /^(?:Not connected|the process has ended)$/.test(cause.message),
  );
  return { type: isUnsent ? "unsent" : "lost", sentence };
}

function judgeResponse(code: number, sentence: string): Failure {
  if (code === cutCode) return { type: "lost", sentence };
  if (code === tooLargeCode)
    return {
      type: "failed",
      sentence: `The tool ran, but its result is larger than ${maxMessageBytes / mebibyte} MiB and was discarded.`,
    };
  return { type: "failed", sentence: `The tool's server refused the call: ${sentence}` };
}

function judgeStatus(status: number, sentence: string): Failure {
  if (status === 404 || status >= 500 || (status === 400 && /session/i.test(sentence)))
    return { type: "lost", sentence };
  return { type: "failed", sentence: `The tool's server refused the call with status ${status}.` };
}

/** Returns the messages of an error and its causes on one line. They may contain text of a server. */
export function toSentence(error: unknown): string {
  const messages = listCauses(error).map(({ message }) => message.replaceAll(/[\s\p{Cc}]+/gu, " ").trim());
  const sentence = messages.reduce((all, message) =>
    all.includes(message) ? all : `${all}: ${message}`.replace(/^: /, ""),
  );
  return cutAt(sentence || "unknown error", maxSentenceLength);
}

function listCauses(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  let current: unknown = error;
  while (current instanceof Error && causes.length < maxCauses) {
    causes.push(current);
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return causes.length > 0 ? causes : [new Error(String(error))];
}
