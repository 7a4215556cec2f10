/** The API description of routes: texts, examples and responses, loaded only for the OpenAPI document. */
import type { z } from "zod";
import type { ResponseHeader } from "./response-headers.ts";

/** A response body: text, JSON with a named schema, or a stream of events with named schemas. */
export type Content =
  | { readonly type: "text"; readonly description: string }
  | { readonly type: "json"; readonly schema: z.ZodType }
  | { readonly type: "events"; readonly schemas: readonly z.ZodType[]; readonly description: string };

/** A successful response. */
export interface DocumentedResponse {
  readonly status: number;
  readonly description: string;
  /** By media type; absent for responses without a body. */
  readonly content?: Readonly<Record<string, Content>>;
  /** Headers that the response always has. */
  readonly headers?: readonly ResponseHeader[];
  /** Headers that it may have. */
  readonly optionalHeaders?: readonly ResponseHeader[];
}

/** The description of one route, beside the facts that its declaration holds. */
export interface RouteDescription {
  readonly summary: string;
  readonly description?: string;
  /** Returns valid request bodies by name, for a server whose model is called `model`. */
  readonly examples?: (model: string) => Readonly<Record<string, object>>;
  readonly responses: readonly DocumentedResponse[];
  /** The named schema of the route's problems, if they have more than the standard fields. */
  readonly problem?: z.ZodType;
}

/** The body of every error of a group of routes, if it is not a problem. */
export type DocumentedErrorBody =
  | { readonly type: "text"; readonly description: string }
  | {
      readonly type: "json";
      /** A named schema. */
      readonly schema: z.ZodType;
      /** The object in it that holds the error's `code`. */
      readonly codeIn: string;
      /** Headers that every error has. */
      readonly headers: readonly ResponseHeader[];
    };

/** The description of a group of routes, by operation id. */
export interface GroupDescription<Id extends string = string> {
  readonly routes: Readonly<Record<Id, RouteDescription>>;
  readonly errorBody?: DocumentedErrorBody;
}
