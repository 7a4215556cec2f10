/** Checks responses against the OpenAPI document. */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { routeGroups } from "../../../src/app.ts";
import type { AuthType } from "../../../src/openapi/error-responses.ts";
import { toDocument, type OpenApiDocument, type OperationObject } from "../../../src/openapi/document.ts";
import type { AppResponse } from "./start-app.ts";

/** Response headers that the framework or Node sets, or that every response has: no route's own. */
const standing = new Set([
  "connection",
  "content-length",
  "content-security-policy",
  "content-type",
  "cache-control",
  "cross-origin-opener-policy",
  "cross-origin-resource-policy",
  "date",
  "keep-alive",
  "permissions-policy",
  "referrer-policy",
  "transfer-encoding",
  "vary",
  "x-content-type-options",
  "x-frame-options",
]);

/** The responses that one document allows. */
export class ResponseCheck {
  readonly document: OpenApiDocument;
  /** The checked operations, each with the status and media type of its response. */
  readonly seen = new Set<string>();
  readonly #ajv = new Ajv2020({ strict: false, validateSchema: false });
  readonly #places: readonly {
    readonly method: string;
    readonly path: string;
    readonly address: RegExp;
    readonly operation: OperationObject;
  }[];

  constructor(document: OpenApiDocument) {
    this.document = document;
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(document, "document");
    this.#places = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method,
        path,
        operation,
        address: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
      })),
    );
  }

  /** Fails if a response is not as documented. A request that no route matches has no documentation. */
  check(method: string, url: string, { status, headers, body, isComplete }: AppResponse): void {
    const [path = ""] = url.split("?");
    const place = this.#places.find(
      (candidate) => candidate.method === method.toLowerCase() && candidate.address.test(path),
    );
    if (place === undefined) return;
    const label = `${method} ${path}: ${status}`;
    const response = place.operation.responses[String(status)];
    assert.ok(response !== undefined, `${label} is not in the document: ${body.slice(0, 200)}`);
    this.#checkHeaders(label, headers, response.headers ?? {});
    const [type = ""] = (headers["content-type"] ?? "").split(";");
    this.seen.add(`${place.operation.operationId} ${status} ${type}`.trim());
    if (response.content === undefined) return assert.equal(body, "", `${label} has no body`);
    const content = response.content[type];
    assert.ok(content !== undefined, `${label} as ${type} is not in the document`);
    const pointer = ["paths", place.path, place.method, "responses", String(status), "content", type];
    if (type === "text/event-stream") {
      const names = place.path.startsWith("/turns") || place.path === "/stream-chat";
      for (const event of readEvents(body, names))
        this.validate(label, [...pointer, "x-event-schema"], event);
    } else if (type.endsWith("json") && isComplete) {
      this.validate(label, [...pointer, "schema"], JSON.parse(body));
    }
  }

  /** Fails if `value` does not match the schema at a place of the document. */
  validate(label: string, pointer: readonly string[], value: unknown): void {
    const errors = this.findErrors(pointer, value);
    assert.equal(errors, undefined, `${label} ${errors}: ${JSON.stringify(value)?.slice(0, 500)}`);
  }

  /** Returns the error of `value` by the schema at a place of the document; `undefined` if it is valid. */
  findErrors(pointer: readonly string[], value: unknown): string | undefined {
    const fragment = pointer.map((part) =>
      encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")),
    );
    const isValid = this.#ajv.getSchema(`document#/${fragment.join("/")}`);
    assert.ok(isValid !== undefined, `there is a schema at ${pointer.join(" ")}`);
    return isValid(value) === true ? undefined : this.#ajv.errorsText(isValid.errors);
  }

  #checkHeaders(
    label: string,
    headers: AppResponse["headers"],
    documented: Readonly<Record<string, { readonly required: boolean }>>,
  ): void {
    const known = new Map(Object.entries(documented).map(([name, header]) => [name.toLowerCase(), header]));
    for (const [name, { required }] of known)
      assert.ok(!required || headers[name] !== undefined, `${label} has ${name}`);
    const strange = Object.keys(headers).filter(
      (name) => !standing.has(name) && !name.startsWith("access-control-") && !known.has(name),
    );
    assert.deepEqual(strange, [], `${label} has headers that are not in the document`);
  }
}

/** Returns the data of the events that came whole; where they have names, those are their types. */
function readEvents(body: string, areNamed: boolean): unknown[] {
  const frames = body.split("\n\n").slice(0, -1);
  return frames.flatMap((frame) => {
    // By line feeds alone: a text may have other line ends, such as U+2028.
    const lines = frame.split("\n");
    const find = (field: string): string | undefined =>
      lines.find((line) => line.startsWith(`${field}: `))?.slice(field.length + 2);
    const data = find("data");
    if (data === undefined || data === "[DONE]") return [];
    const event: { readonly type?: unknown } = JSON.parse(data);
    if (areNamed) assert.equal(find("event"), event.type);
    return [event];
  });
}

/** Resolves with the document of a server with the given authentication, whose model is called `model`. */
export async function makeDocument(
  auth: AuthType,
  model: string,
  version = "1.0.0",
): Promise<OpenApiDocument> {
  return await toDocument({ version, auth, model, groups: routeGroups });
}

const checks = new Map<AuthType, Promise<ResponseCheck>>();

/** Resolves with the check of responses of servers with the given authentication. */
export function checkOf(auth: AuthType): Promise<ResponseCheck> {
  const known =
    checks.get(auth) ?? makeDocument(auth, "demo").then((document) => new ResponseCheck(document));
  checks.set(auth, known);
  return known;
}
