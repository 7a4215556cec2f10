/** Owns what the document says of errors: by status, with the codes that each operation may fail with. */
import { z } from "zod";
import { errorTable, type ErrorCode } from "../base/errors.ts";
import { toErrorShape, type ErrorShape, type Problem } from "../http/problem.ts";
import type { OpenAiError } from "../wires/openai-chat/completion.ts";
import { limitHeaders, toHeaders, type ResponseHeader } from "./response-headers.ts";
import { Code, errorCodes, nameFor } from "./response-schema.ts";
import { toReference } from "./json-schema.ts";
import { turnErrors, type Operation } from "./operation.ts";
import type { ResponseObject } from "./response.ts";

/** The ways in which a server finds out who asks. */
export type AuthType = "none" | "supabase" | "keys";

/** The fields of a problem (RFC 9457). */
export const problemFields = {
  type: z.literal("about:blank"),
  title: z.string().describe("The status's own words."),
  status: z.int(),
  code: Code,
  detail: z.string().describe("What is wrong with this very request."),
  requestId: z.uuid().describe("The request's id, which the log has too."),
};
const ProblemSchema = nameFor<Problem>()("Problem", z.object(problemFields));

export const OpenAiErrorSchema = nameFor<OpenAiError>()(
  "OpenAiError",
  z.object({
    error: z.object({
      message: z.string(),
      type: z.enum(["invalid_request_error", "rate_limit_error", "server_error"]),
      param: z.string().nullable().describe("The field that is wrong."),
      code: Code,
    }),
  }),
);

/** What any request may fail with, one with a body, and one that must say who it is from. */
const anyErrors: readonly ErrorCode[] = ["invalid_request", "internal_error"];
const bodyErrors: readonly ErrorCode[] = [
  "invalid_json",
  "request_timeout",
  "body_too_large",
  "unsupported_media_type",
  "server_busy",
];
const authErrors: Readonly<Record<AuthType, readonly ErrorCode[]>> = {
  none: [],
  keys: ["unauthenticated"],
  supabase: ["unauthenticated", "user_mismatch", "identity_unavailable"],
};

/** Where load balancers look, by whatever name. */
const hostlessPaths: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** The headers of an answer that say of which turn it is: an error of a turn that had begun has them too. */
const turnHeaders: readonly ResponseHeader[] = ["X-Turn-Id", "X-Conversation-Id", "Idempotency-Replayed"];

/** Returns the error responses of an operation, by status. */
export function toErrorResponses(
  operation: Operation,
  auth: AuthType,
): Readonly<Record<string, ResponseObject>> {
  const codes = new Set([
    ...anyErrors,
    ...(hostlessPaths.has(operation.path) ? [] : ["host_not_allowed" as const]),
    ...(operation.method === "get" ? [] : bodyErrors),
    ...(operation.method === "get" || auth !== "none" ? [] : ["origin_not_allowed" as const]),
    ...(operation.isOpen === true ? [] : ["rate_limited" as const, ...authErrors[auth]]),
    ...operation.errors,
  ]);
  const byStatus = Map.groupBy(
    errorCodes.filter((code) => codes.has(code)),
    (code) => errorTable[code].status,
  );
  return Object.fromEntries(
    Array.from(byStatus, ([status, list]) => [String(status), toErrorResponse(operation, status, list)]),
  );
}

function toErrorResponse(operation: Operation, status: number, codes: readonly ErrorCode[]): ResponseObject {
  const always: ResponseHeader[] = ["X-Request-Id"];
  if (status === 401) always.push("WWW-Authenticate");
  const isOpenAi = shapeOf(operation, status) === "openai";
  const given = operation.responses.flatMap(({ headers = [], optionalHeaders = [] }) => [
    ...headers,
    ...optionalHeaders,
  ]);
  const isOfTurn = codes.some((code) => turnErrors.includes(code) || code === "request_refused");
  const maybe = isOfTurn ? turnHeaders.filter((name) => given.includes(name)) : [];
  if (operation.isOpen !== true) maybe.push(...limitHeaders);
  if (status === 429 || status >= 500 || codes.includes("turn_running")) maybe.push("Retry-After");
  return {
    description: codes.map((code) => `\`${code}\`: ${errorTable[code].publicMessage}`).join("\n\n"),
    ...toHeaders(isOpenAi ? [...always, "X-Should-Retry"] : always, maybe),
    content: toContent(operation, status, codes),
  };
}

/** Who is cut off in the middle of a request gets a problem, whatever the route would have said. */
function shapeOf({ path }: Operation, status: number): ErrorShape {
  return status === errorTable.request_timeout.status ? "problem" : toErrorShape(path);
}

function toContent(
  operation: Operation,
  status: number,
  codes: readonly ErrorCode[],
): ResponseObject["content"] & object {
  const code = { enum: codes };
  switch (shapeOf(operation, status)) {
    case "openai": {
      const properties = { error: { properties: { code } } };
      return { "application/json": { schema: { ...toReference(OpenAiErrorSchema), properties } } };
    }
    case "text":
      return { "text/plain": { schema: { type: "string", description: "A sentence that a user may see." } } };
    case "problem": {
      const properties = { status: { const: status }, code };
      const schema = toReference(operation.problem ?? ProblemSchema);
      return { "application/problem+json": { schema: { ...schema, properties } } };
    }
  }
}
