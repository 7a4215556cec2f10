/** Error bodies of model servers, as fields: every vendor writes them differently. */
import { isRecord, parseJson, toFirstString } from "./json-value.ts";

/** So much of a body that holds no known field stands for its message, in characters. */
const maxRawLength = 4_096;

type Fields = Readonly<Record<string, unknown>>;

/** An error body, as far as it can be read; `""` for what it does not say. */
export interface ModelComplaint {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  readonly param: string;
  /** The HTTP status that the body itself names; `undefined` if none. */
  readonly status: number | undefined;
  /** The context window that it names as a number; `undefined` if none. */
  readonly windowTokens: number | undefined;
  /** Whether it is an error as an API words it, not a page or a router's. */
  readonly isApiError: boolean;
}

/** Returns what `body` says. Its message is the body itself if no known field holds one. */
export function toComplaint(body: string): ModelComplaint {
  const raw = body.slice(0, maxRawLength);
  const parsed = parseJson(body);
  const value: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  if (typeof value === "string" && value !== "") return toFields({}, {}, value);
  if (!isRecord(value)) return { ...toFields({}, {}, raw), isApiError: false };
  const error = findError(value);
  const message = toFirstString(toMessage(error), toMessage(value), toDetail(value["detail"])) || raw;
  return toFields(isRecord(error) ? error : {}, value, message);
}

function findError({ error, errors }: Fields): unknown {
  if (isRecord(error) || typeof error === "string") return error;
  return Array.isArray(errors) ? errors[0] : undefined;
}

function toMessage(error: unknown): string {
  if (!isRecord(error)) return typeof error === "string" ? error : "";
  const { message, msg, error_msg: errorMessage } = error;
  if (isRecord(message)) return toDetail(message["detail"]) || JSON.stringify(message).slice(0, maxRawLength);
  return toFirstString(message, msg, errorMessage) || toDetail(error["detail"]);
}

/** FastAPI says what is wrong as a sentence, or as a list of places in the request, each with a sentence. */
function toDetail(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (!Array.isArray(detail)) return "";
  return detail
    .filter(isRecord)
    .map(({ loc, msg }) => `${Array.isArray(loc) ? loc.join(".") : ""}: ${toFirstString(msg)}`)
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
  ];
  return {
    message,
    type: toFirstString(error["type"], value["type"], error["status"]),
    code: toCode(error["code"]) || toCode(value["code"]) || toCode(inner["code"]),
    param: toFirstString(error["param"], value["param"]),
    status: codes.map(Number).find((code) => Number.isInteger(code) && code >= 400 && code < 600),
    windowTokens: typeof error["n_ctx"] === "number" ? error["n_ctx"] : undefined,
    isApiError: value["error"] !== undefined || value["object"] === "error" || Object.keys(error).length > 0,
  };
}

function toCode(code: unknown): string {
  return typeof code === "string" || typeof code === "number" ? String(code) : "";
}
