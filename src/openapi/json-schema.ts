/** Converts zod schemas to the JSON schemas of the OpenAPI document. */
import { z } from "zod";
import { described } from "../http/request-fields.ts";
import { responseSchemas } from "../http/description/response-schema.ts";

/** A JSON schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Returns the JSON schema of the values that `schema` accepts. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  return tidy(z.toJSONSchema(schema, { io: "input", unrepresentable: "any", override: describe }));
}

/** Returns the schemas of all responses, by name. */
export function toResponseSchemas(): Readonly<Record<string, JsonSchema>> {
  const { schemas } = z.toJSONSchema(responseSchemas, { io: "output", uri: toUri });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, tidy(schema)]));
}

/** Returns the reference to the schema of a response. */
export function toReference(schema: z.ZodType): { readonly $ref: string } {
  const id = responseSchemas.get(schema)?.id;
  if (id === undefined) throw new Error("a response schema has no name");
  return { $ref: toUri(id) };
}

function toUri(id: string): string {
  return `#/components/schemas/${id}`;
}

/** Replaces a schema that checks by code with the one that describes it. */
function describe({
  zodSchema,
  jsonSchema,
}: {
  zodSchema: z.core.$ZodType;
  jsonSchema: z.core.JSONSchema.BaseSchema;
}): void {
  const as = described.get(zodSchema)?.as;
  if (!(as instanceof z.ZodType)) return;
  for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
  Object.assign(jsonSchema, toJsonSchema(as), z.globalRegistry.get(zodSchema));
}

/** Leaves out `$schema`, `$id` and empty rules, and flattens nested choices. */
function tidy(schema: object): JsonSchema {
  const { $schema: _, $id: __, ...rest } = { $schema: 0, $id: 0, ...schema };
  return Object.fromEntries(
    Object.entries(rest)
      .filter(
        ([name, value]) => name !== "propertyNames" && !(name === "additionalProperties" && isEmpty(value)),
      )
      .map(([name, value]) => [name, name === "anyOf" ? flatten(tidyValue(value)) : tidyValue(value)]),
  );
}

function tidyValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidyValue);
  return typeof value === "object" && value !== null ? tidy(value) : value;
}

function flatten(choices: unknown): unknown {
  if (!Array.isArray(choices)) return choices;
  return choices.flatMap((choice: unknown) => {
    const isChoice = typeof choice === "object" && choice !== null && "anyOf" in choice;
    return isChoice && Object.keys(choice).length === 1 ? choice.anyOf : [choice];
  });
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
