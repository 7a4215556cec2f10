/** The bodies of OpenAI's routes: empty fields count as absent, unlisted ones are for the model server. */
import { z } from "zod";
import { parse } from "../../base/parse.ts";
import { described } from "../request-fields.ts";
import type { RouteBody } from "../route.ts";
import { Empty, toGivenFields } from "./model-parameters.ts";

/** A parsed body: its listed fields, the others, and the body as it was sent. */
export interface ParsedBody<Request> {
  readonly request: Request;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly sent: unknown;
}

/**
 * Returns the body of a route that reads `schema`. `null` counts as an empty object.
 * @param name its name in the API description.
 * @param required the fields that never count as absent.
 */
export function openAiBody<Schema extends z.ZodObject>(
  name: string,
  schema: Schema,
  required: ReadonlySet<string>,
): RouteBody<ParsedBody<z.output<Schema>>> {
  described.add(schema, {
    as: z.looseObject(
      Object.fromEntries(
        Object.entries<z.ZodType>(schema.shape).map(([field, value]) => [
          field,
          required.has(field) ? value : value.or(Empty),
        ]),
      ),
    ),
  });
  return {
    name,
    schema,
    isOptional: false,
    parse: (value) => {
      const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      const { listed, extra } = toGivenFields(isObject ? value : {}, schema.shape, required);
      return {
        request: parse(schema, isObject ? listed : (value ?? {}), "invalid_request"),
        extra,
        sent: value,
      };
    },
  };
}
