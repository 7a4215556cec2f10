/** Owns the OpenAPI document: all operations, and what they share. */
import type { z } from "zod";
import { conversationOperations } from "../history/operations.ts";
import { limitHeaders } from "./response-headers.ts";
import { toErrorResponses, type AuthType } from "./error-responses.ts";
import { toResponse, type ResponseObject } from "./response.ts";
import { toResponseSchemas, toJsonSchema, type JsonSchema } from "./json-schema.ts";
import { toOpenAiOperations } from "../wires/openai-chat/operations.ts";
import type { Operation } from "./operation.ts";
import { serverOperations } from "./server-operations.ts";
import { turnOperations } from "../wires/foreword/operations.ts";
import { usageOperations } from "../usage/operations.ts";
import { uiChatOperations } from "../wires/ui-message/operations.ts";

const tags = [
  { name: "Turns", description: "One request and its reply, on our own wires." },
  { name: "Conversations", description: "A user's history. What is somebody else's is not there." },
  { name: "Usage", description: "What a user's turns took." },
  { name: "AI SDK", description: "For `useChat` of the AI SDK, with its default transport." },
  { name: "OpenAI", description: "For OpenAI's clients, and tools that take a base URL." },
  { name: "Server", description: "What is there for everybody." },
];

/** What the document is about. */
export interface DocumentOptions {
  readonly version: string;
  readonly auth: AuthType;
  /** The name of the model. */
  readonly model: string;
}

/** The document, as far as it is read here. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly summary: string;
    readonly description: string;
    readonly license: object;
  };
  readonly servers: readonly { readonly url: string }[];
  /** Absent where nobody is asked who they are. */
  readonly security?: readonly object[];
  readonly tags: typeof tags;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes?: Readonly<Record<string, SecurityScheme>>;
  };
}

/** A way to say who asks. */
interface SecurityScheme {
  readonly type: "http";
  readonly scheme: "bearer";
  readonly bearerFormat?: string;
  readonly description: string;
}

/** An operation of it. */
export interface OperationObject {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly object[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, MediaType>>;
  };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

/** A parameter of it. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

/** A body of it. */
export interface MediaType {
  readonly schema: JsonSchema;
  readonly examples?: Readonly<Record<string, { readonly value: object }>>;
}

/** Returns the document. */
export function toDocument({ version, auth, model }: DocumentOptions): OpenApiDocument {
  const operations = [
    ...turnOperations,
    ...conversationOperations,
    ...usageOperations,
    ...uiChatOperations,
    ...toOpenAiOperations(model),
    ...serverOperations,
  ];
  const bodies = operations.flatMap(({ body }) =>
    body === undefined ? [] : [[body.name, toJsonSchema(body.schema)]],
  );
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const operation of operations)
    (paths[operation.path.replaceAll(/:(\w+)/g, "{$1}")] ??= {})[operation.method] = toOperationObject(
      operation,
      auth,
    );
  return {
    openapi: "3.1.1",
    info: {
      title: "Foreword",
      version,
      summary: "A streaming chat backend: a tiny plan, a boundary, then the answer, and every message kept.",
      description:
        "What is said here in brief, `docs/protocol.md` says in full, and `docs/errors.md` who can mend which error.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    ...(auth !== "none" && { security: [{ bearer: [] }] }),
    tags,
    paths,
    components: {
      schemas: { ...Object.fromEntries(bodies), ...toResponseSchemas() },
      ...(auth !== "none" && { securitySchemes: { bearer: toSecurityScheme(auth) } }),
    },
  };
}

function toSecurityScheme(auth: "supabase" | "keys"): SecurityScheme {
  return auth === "supabase"
    ? { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "A user's access token." }
    : { type: "http", scheme: "bearer", description: "A key of the operator's." };
}

function toOperationObject(operation: Operation, auth: AuthType): OperationObject {
  const { id, tag, summary, description, params, query, headers, body, responses, isOpen } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(auth !== "none" && isOpen === true && { security: [] }),
    parameters: [
      ...toParameters("path", params),
      ...toParameters("query", query),
      ...toParameters("header", headers),
    ],
    ...(body && {
      requestBody: {
        required: body.isOptional !== true,
        content: {
          "application/json": {
            schema: { $ref: `#/components/schemas/${body.name}` },
            examples: Object.fromEntries(
              Object.entries(body.examples).map(([name, value]) => [name, { value }]),
            ),
          },
        },
      },
    }),
    responses: {
      ...Object.fromEntries(
        responses.map((response) => [
          String(response.status),
          toResponse(response, isOpen ? [] : limitHeaders),
        ]),
      ),
      ...toErrorResponses(operation, auth),
    },
  };
}

function toParameters(place: Parameter["in"], schema: z.ZodObject | undefined): readonly Parameter[] {
  return Object.entries(schema?.shape ?? {}).map(([key, field]) => {
    const { description, ...rest } = toJsonSchema(field);
    return {
      name: place === "header" ? toHeaderName(key) : key,
      in: place,
      required: place === "path",
      ...(typeof description === "string" && { description }),
      schema: rest,
    };
  });
}

function toHeaderName(key: string): string {
  if (key === "last-event-id") return "Last-Event-ID";
  return key.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}
