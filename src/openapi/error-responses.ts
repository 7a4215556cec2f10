/** The error responses of the OpenAPI document, by status, with the codes of each operation. */
import { errorTable } from "../base/error-table.ts";
import type { ErrorCode } from "../base/errors.ts";
import { limitHeaders, modelHeaders, type ResponseHeader } from "../http/description/response-headers.ts";
import { errorCodes } from "../http/description/response-schema.ts";
import { ProblemSchema } from "../http/error-format.ts";
import { turnErrors } from "../http/route.ts";
import { toReference } from "./json-schema.ts";
import type { Operation } from "./operation.ts";
import { toHeaders, type ResponseObject } from "./response.ts";

/** The ways of authentication. */
export type AuthType = "none" | "supabase" | "keys";

/** Errors of any request, of requests with a body, and of authenticated requests. */
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

/** Response headers about the turn. An error of a turn that had started has them too. */
const turnHeaders: readonly ResponseHeader[] = [
  "X-Turn-Id",
  "X-Conversation-Id",
  "Idempotency-Replayed",
  ...modelHeaders,
];

/** Returns the error responses of an operation, by status. */
export function toErrorResponses(
  operation: Operation,
  auth: AuthType,
): Readonly<Record<string, ResponseObject>> {
  const { method, access, allowsAnyHost, errors } = operation.route;
  const codes = new Set([
    ...anyErrors,
    ...(allowsAnyHost === true ? [] : ["host_not_allowed" as const]),
    ...(method === "GET" ? [] : bodyErrors),
    ...(method === "GET" || auth !== "none" ? [] : ["origin_not_allowed" as const]),
    ...(access === "open" ? [] : ["rate_limited" as const, ...authErrors[auth]]),
    ...errors,
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
  const { route, description, errorBody } = operation;
  // A request that is cut off while it is read gets a problem on every route.
  const body = status === errorTable.request_timeout.status ? undefined : errorBody;
  const always: ResponseHeader[] = ["X-Request-Id"];
  if (status === 401) always.push("WWW-Authenticate");
  if (status === errorTable.range_not_satisfiable.status) always.push("Content-Range");
  if (body?.type === "json") always.push(...body.headers);
  const given = description.responses.flatMap(({ headers = [], optionalHeaders = [] }) => [
    ...headers,
    ...optionalHeaders,
  ]);
  const isOfTurn = codes.some((code) => turnErrors.includes(code));
  const maybe = isOfTurn ? turnHeaders.filter((name) => given.includes(name)) : [];
  if (route.access !== "open") maybe.push(...limitHeaders);
  if (status === 429 || status >= 500 || codes.includes("turn_running")) maybe.push("Retry-After");
  if (codes.includes("turn_running")) maybe.push("X-Running-Turn-Id");
  return {
    description: codes.map((code) => `\`${code}\`: ${errorTable[code].publicMessage}`).join("\n\n"),
    ...toHeaders(always, maybe),
    content: toContent({ ...operation, errorBody: body }, status, codes),
  };
}

function toContent(
  { description, errorBody }: Operation,
  status: number,
  codes: readonly ErrorCode[],
): ResponseObject["content"] & object {
  const code = { enum: codes };
  switch (errorBody?.type) {
    case "json": {
      const properties = { [errorBody.codeIn]: { properties: { code } } };
      return { "application/json": { schema: { ...toReference(errorBody.schema), properties } } };
    }
    case "text":
      return { "text/plain": { schema: { type: "string", description: errorBody.description } } };
    case undefined: {
      const properties = { status: { const: status }, code };
      const schema = toReference(description.problem ?? ProblemSchema());
      return { "application/problem+json": { schema: { ...schema, properties } } };
    }
  }
}
