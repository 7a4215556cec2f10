/** Builds the OpenAPI document from the declarations of all routes. */
import type { z } from "zod";
import { limitHeaders } from "../http/description/response-headers.ts";
import { toErrorResponses, type AuthType } from "./error-responses.ts";
import { toJsonSchema, toResponseSchemas, type JsonSchema } from "./json-schema.ts";
import { loadOperations, type AnyRouteGroup, type Operation } from "./operation.ts";
import { toResponse, type ResponseObject } from "./response.ts";

/** The headings of the document, in order. */
const tags = [
  { name: "Turns", description: "A request and its reply, on Foreword's own routes." },
  { name: "Conversations", description: "A user's history. Other users' conversations return 404." },
  { name: "Files", description: "The images and PDFs of a user's messages." },
  {
    name: "Knowledge",
    description: "A user's documents, read in the background, for searches by their words.",
  },
  { name: "Usage", description: "The tokens and costs of a user's turns." },
  { name: "AI SDK", description: "For `useChat` of the AI SDK, with its default transport." },
  { name: "OpenAI", description: "For OpenAI's clients, and tools that take a base URL." },
  { name: "AG-UI", description: "For AG-UI's `HttpAgent`, CopilotKit's runtime and TanStack AI." },
  { name: "Server", description: "The chat page, health checks and API docs. No credentials needed." },
];

/** The server that the document describes. */
export interface DocumentOptions {
  readonly version: string;
  readonly auth: AuthType;
  /** The name of the model. */
  readonly model: string;
  readonly groups: readonly AnyRouteGroup[];
}

/** The parts of the document that are read here. */
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
  /** Absent without authentication. */
  readonly security?: readonly object[];
  readonly tags: typeof tags;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes?: Readonly<Record<string, SecurityScheme>>;
  };
}

/** A way of authentication. */
interface SecurityScheme {
  readonly type: "http";
  readonly scheme: "bearer";
  readonly bearerFormat?: string;
  readonly description: string;
}

/** An operation of the document. */
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

/** A parameter of an operation. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

/** The body of a request. */
export interface MediaType {
  readonly schema: JsonSchema;
  readonly examples?: Readonly<Record<string, { readonly value: object }>>;
}

/** Returns the document. */
export async function toDocument({
  version,
  auth,
  model,
  groups,
}: DocumentOptions): Promise<OpenApiDocument> {
  const operations = await loadOperations(groups);
  const bodies = operations.flatMap(({ route: { body } }) =>
    typeof body === "object" && body.isBytes !== true ? [[body.name, toJsonSchema(body.schema)]] : [],
  );
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const operation of operations) {
    const { path, method } = operation.route;
    const methods = (paths[path.replaceAll(/:(\w+)/g, "{$1}")] ??= {});
    methods[method.toLowerCase()] = toOperationObject(operation, auth, model);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Foreword",
      version,
      summary:
        "A streaming chat backend: a short plan, a boundary, then the answer. Every message is stored.",
      description:
        "The API reference. `docs/protocol.md` explains the protocols in full, `docs/errors.md` how to fix each error.",
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
    : { type: "http", scheme: "bearer", description: "One of the operator's API keys." };
}

function toOperationObject(operation: Operation, auth: AuthType, model: string): OperationObject {
  const { id, tag, route, description: texts } = operation;
  const { params, query, headers, body, access } = route;
  const isOpen = access === "open";
  return {
    operationId: id,
    tags: [tag],
    summary: texts.summary,
    ...(texts.description !== undefined && { description: texts.description }),
    ...(auth !== "none" && isOpen && { security: [] }),
    parameters: [
      ...toParameters("path", params),
      ...toParameters("query", query),
      ...toParameters("header", headers),
    ],
    ...(typeof body === "object" && {
      requestBody: {
        required: !body.isOptional,
        content:
          body.isBytes === true
            ? { "application/octet-stream": { schema: {} } }
            : {
                "application/json": {
                  schema: { $ref: `#/components/schemas/${body.name}` },
                  examples: Object.fromEntries(
                    Object.entries(texts.examples?.(model) ?? {}).map(([name, value]) => [name, { value }]),
                  ),
                },
              },
      },
    }),
    responses: {
      ...Object.fromEntries(
        texts.responses.map((response) => [
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
