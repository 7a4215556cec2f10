/**
 * The contract of the OpenAPI document, without its texts: paths, parameters, schemas, statuses and error
 * codes equal outline.txt. Texts may change freely; `UPDATE_OUTLINE=true` writes a changed contract to the
 * file.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { OpenApiDocument } from "../../src/openapi/document.ts";
import { makeDocument } from "../support/apps/response-check.ts";

const file = new URL("outline.txt", import.meta.url);

/** Returns `value` with sorted keys, without texts for readers and without the patterns of known formats. */
function toContract(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toContract);
  if (typeof value !== "object" || value === null) return value;
  const isText = (name: string, inner: unknown): boolean =>
    typeof inner === "string" &&
    (name === "description" || name === "summary" || (name === "pattern" && "format" in value));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => !isText(name, inner))
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, inner]) => [name, toContract(inner)]),
  );
}

/** Returns a line for each part of each operation, and for each schema. */
function toOutline({ paths, components }: OpenApiDocument): string {
  const lines: (readonly [string, unknown])[] = [];
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { parameters, requestBody, responses }] of Object.entries(methods)) {
      const name = `${method.toUpperCase()} ${path}`;
      for (const parameter of parameters) lines.push([`${name} ${parameter.in}`, parameter]);
      if (requestBody !== undefined) {
        const { required, content } = requestBody;
        lines.push([`${name} body`, { required, schema: content["application/json"]?.schema }]);
      }
      for (const [status, { headers = {}, content = {} }] of Object.entries(responses)) {
        const named = Object.entries(headers).map(([header, { required }]) =>
          required ? header : `${header}?`,
        );
        lines.push([`${name} ${status}`, { headers: named, content }]);
      }
    }
  }
  lines.push(...Object.entries(components.schemas));
  return `${lines.map(([name, value]) => `${name} ${JSON.stringify(toContract(value))}`).join("\n")}\n`;
}

test("the document's paths, parameters, schemas, statuses and codes are those of outline.txt", async () => {
  // With AUTH=supabase the routes have the most error codes.
  const outline = toOutline(await makeDocument("supabase", "demo"));
  if (process.env["UPDATE_OUTLINE"] === "true") writeFileSync(file, outline);
  assert.deepEqual(outline.split("\n"), readFileSync(file, "utf8").split("\n"));
});
