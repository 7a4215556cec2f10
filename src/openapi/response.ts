/** Owns an answer as the document has it. */
import { toHeaders, type ResponseHeader, type HeaderObject } from "./response-headers.ts";
import { toReference, type JsonSchema } from "./json-schema.ts";
import type { DocumentedResponse, Content } from "./operation.ts";

/** An answer. */
export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, HeaderObject>>;
  /** By media type. */
  readonly content?: Readonly<Record<string, ContentObject>>;
}

/** A body. */
export interface ContentObject {
  readonly schema: JsonSchema;
  /** What each event of a stream holds: OpenAPI 3.1 has no word for it. */
  readonly "x-event-schema"?: JsonSchema;
}

/** Returns an answer that is no error; `more` headers may be there as well. */
export function toResponse(
  { description, content, headers = [], optionalHeaders = [] }: DocumentedResponse,
  more: readonly ResponseHeader[],
): ResponseObject {
  return {
    description,
    ...toHeaders(["X-Request-Id", ...headers], [...optionalHeaders, ...more]),
    ...(content && {
      content: Object.fromEntries(Object.entries(content).map(([type, what]) => [type, toContent(what)])),
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
