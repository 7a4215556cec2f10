/** Reads the error bodies of model servers, which every vendor writes differently. */
import { isRecord, parseJson } from "../base/json.ts";
import { toFirstString, toJson } from "./stream/json-value.ts";

/** How much of a body without known fields is its message, in characters. */
const maxRawLength = 4_096;

type Fields = Readonly<Record<string, unknown>>;

/** The fields of an error body; `""` for those that it lacks. */
export interface ModelComplaint {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  readonly param: string;
  /** The HTTP status named in the body; `undefined` if none. */
  readonly status: number | undefined;
  /** The context window given as a number; `undefined` if none. */
  readonly windowTokens: number | undefined;
  /** Whether it is an API's error, not a web page's or a router's. */
  readonly isApiError: boolean;
}

/** Returns the fields of `body`. Its message is the body itself if no known field holds one. Never throws. */
export function toComplaint(body: string): ModelComplaint {
  const { complaint, error } = readBody(body);
  const cause = isRecord(error) && isRecord(error["metadata"]) ? error["metadata"]["raw"] : undefined;
  if (typeof cause !== "string" && !isRecord(cause)) return complaint;
  // OpenRouter's own message is only that its provider returned an error.
  const inner = readBody(typeof cause === "string" ? cause : toJson(cause)).complaint;
  return {
    ...complaint,
    message: `${complaint.message}: ${inner.message}`,
    type: `${complaint.type} ${inner.type}`.trim(),
    code: `${complaint.code} ${inner.code}`.trim(),
    param: complaint.param || inner.param,
    windowTokens: complaint.windowTokens ?? inner.windowTokens,
  };
}

function readBody(body: string): { readonly complaint: ModelComplaint; readonly error: unknown } {
  const raw = body.slice(0, maxRawLength);
  const parsed = parseJson(body);
  const value: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  if (typeof value === "string" && value !== "")
    return { complaint: toFields({}, {}, value), error: undefined };
  if (!isRecord(value))
    return { complaint: { ...toFields({}, {}, raw), isApiError: false }, error: undefined };
  const error = findError(value);
  const message = toFirstString(toMessage(error), toMessage(value), toDetail(value["detail"])) || raw;
  return { complaint: toFields(isRecord(error) ? error : {}, value, message), error };
}

function findError({ error, errors }: Fields): unknown {
  if (isRecord(error) || typeof error === "string") return error;
  return Array.isArray(errors) ? errors[0] : undefined;
}

function toMessage(error: unknown): string {
  if (!isRecord(error)) return typeof error === "string" ? error : "";
  const { message, msg, error_msg: errorMessage } = error;
  if (isRecord(message)) return toDetail(message["detail"]) || toJson(message).slice(0, maxRawLength);
  return toFirstString(message, msg, errorMessage) || toDetail(error["detail"]);
}

/** FastAPI reports an error as a sentence, or as a list of places in the request, each with a sentence. */
function toDetail(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (!Array.isArray(detail)) return "";
  return detail
    .filter(isRecord)
    .map(({ loc, msg }) => `${Array.isArray(loc) ? loc.map(toCode).join(".") : ""}: ${toFirstString(msg)}`)
    .join("; ");
}

function toFields(error: Fields, value: Fields, message: string): ModelComplaint {
  const inner = isRecord(error["innererror"]) ? error["innererror"] : {};
  const codes = [
    error["code"],
    value["code"],
    error["status_code"],
    error["status"],
    value["status"],
    value["status_code"],
    value["statusCode"],
  ];
  return {
    message,
    type: toFirstString(error["type"], value["type"], error["status"]),
    code: toCode(error["code"]) || toCode(value["code"]) || toCode(inner["code"]),
    param: toFirstString(error["param"], value["param"]),
    status: codes
      .map((code) => Number(toCode(code)))
      .find((code) => Number.isInteger(code) && code >= 400 && code < 600),
    windowTokens: typeof error["n_ctx"] === "number" ? error["n_ctx"] : undefined,
    isApiError: value["error"] !== undefined || value["object"] === "error" || Object.keys(error).length > 0,
  };
}

function toCode(code: unknown): string {
  return typeof code === "string" || typeof code === "number" ? String(code) : "";
}
