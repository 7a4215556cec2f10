/** Responses in the OpenAPI document. */
import type { Content, DocumentedResponse } from "../http/description/description.ts";
import { responseHeaders, type ResponseHeader } from "../http/description/response-headers.ts";
import { toJsonSchema, toReference, type JsonSchema } from "./json-schema.ts";

/** A header. */
export interface HeaderObject {
  readonly description: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

/** A response. */
export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, HeaderObject>>;
  /** By media type. */
  readonly content?: Readonly<Record<string, ContentObject>>;
}

/** A body. */
export interface ContentObject {
  readonly schema: JsonSchema;
  /** The data of each event of a stream, which OpenAPI 3.1 cannot express. */
  readonly "x-event-schema"?: JsonSchema;
}

/** Returns headers: those that a response always has, and those that it may have. */
export function toHeaders(
  always: readonly ResponseHeader[],
  maybe: readonly ResponseHeader[],
): { readonly headers?: Readonly<Record<string, HeaderObject>> } {
  const entries = [...always, ...maybe].map((name): [string, HeaderObject] => {
    const { description, schema } = responseHeaders[name];
    return [name, { description, required: always.includes(name), schema: toJsonSchema(schema) }];
  });
  return entries.length === 0 ? {} : { headers: Object.fromEntries(entries) };
}

/** Returns a successful response, which may also have the headers `more`. */
export function toResponse(
  { description, content, headers = [], optionalHeaders = [] }: DocumentedResponse,
  more: readonly ResponseHeader[],
): ResponseObject {
  return {
    description,
    ...toHeaders(["X-Request-Id", ...headers], [...optionalHeaders, ...more]),
    ...(content && {
      content: Object.fromEntries(Object.entries(content).map(([type, body]) => [type, toContent(body)])),
    }),
  };
}

function toContent(content: Content): ContentObject {
  switch (content.type) {
    case "text":
      return { schema: { type: "string", description: content.description } };
    case "json":
      return { schema: toReference(content.schema) };
    case "events":
      return {
        schema: { type: "string", description: content.description },
        "x-event-schema": { anyOf: content.schemas.map(toReference) },
      };
  }
}
