/** JSON schemas on the page: the kind of the value, its description, and its fields. */
import { Html, toProse, type HtmlValue } from "../http/html.ts";
import type { JsonSchema } from "./json-schema.ts";

/** Bounds that every integer has. */
const unbounded: ReadonlySet<unknown> = new Set([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);

/** Returns a schema as the page shows it. */
export function viewSchema(schema: JsonSchema, description = findDescription(schema)): Html {
  return Html.of`<div class="kind">${viewKind(schema)}${viewBounds(schema)}</div>${
    typeof description === "string" ? toProse(description) : undefined
  }${viewFields(schema)}`;
}

/** Returns the kind of value in a few words. */
function viewKind(schema: JsonSchema): HtmlValue {
  const { $ref, const: only, enum: words, type, anyOf, items, prefixItems, format } = schema;
  if (typeof $ref === "string") return viewReference($ref);
  if (only !== undefined) return Html.of`<code>${JSON.stringify(only)}</code>`;
  if (Array.isArray(words))
    return join(words.map((word) => Html.of`<code>${word === "" ? '""' : toText(word)}</code>`));
  if (Array.isArray(anyOf) && type === undefined)
    return join(
      toUnique(toSchemas(anyOf).map((choice) => Html.of`${viewKind(choice)}${viewBounds(choice)}`)),
    );
  const [item] = toSchemas(prefixItems ?? [items]);
  if (type === "array" && schema["maxItems"] === 0) return "empty list";
  if (type === "array") return item === undefined ? "list" : ["list of ", viewKind(item)];
  const name = Array.isArray(type)
    ? type.map(String).join(" or ")
    : typeof type === "string"
      ? type
      : "anything";
  return typeof format === "string" ? `${name} (${format})` : name;
}

function viewReference($ref: string): Html {
  const name = $ref.split("/").at(-1) ?? "";
  return Html.of`<a href="#schema-${name}">${name}</a>`;
}

/** Returns the range and the default of a value. */
function viewBounds(schema: JsonSchema): HtmlValue {
  const words = [
    toRange(schema["minimum"], schema["maximum"], ""),
    toRange(schema["minLength"], schema["maxLength"], " characters"),
    toRange(schema["minItems"], schema["maxItems"] === 0 ? undefined : schema["maxItems"], " items"),
    schema["default"] === undefined ? "" : `${toText(schema["default"])} by default`,
  ].filter((text) => text !== "");
  return words.length === 0 ? undefined : `, ${words.join(", ")}`;
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function toRange(min: unknown, max: unknown, unit: string): string {
  const [least, most] = [min, max].map((bound) =>
    typeof bound === "number" && !unbounded.has(bound) ? bound.toLocaleString("en") : "",
  );
  if (least === "" && most === "") return "";
  if (most === "") return `at least ${least}${least === "1" ? unit.replace(/s$/, "") : unit}`;
  return least === "" ? `at most ${most}${unit}` : `${least} to ${most}${unit}`;
}

/** Returns the fields of an object, or of the objects in a list or a choice. */
function viewFields(schema: JsonSchema): HtmlValue {
  const { properties, required, items, prefixItems, anyOf } = schema;
  if (isSchema(properties)) {
    const needed = new Set<unknown>(Array.isArray(required) ? required : []);
    return Html.of`<dl>${Object.entries(properties).map(([name, field]) =>
      isSchema(field) ? viewRow(name, needed.has(name), viewSchema(field)) : undefined,
    )}</dl>`;
  }
  return toSchemas(prefixItems ?? anyOf ?? [items]).map((inner) => {
    const fields = viewFields(inner);
    const { description } = inner;
    return typeof description === "string" && fields !== undefined && inner["type"] === "object"
      ? [toProse(description), fields]
      : fields;
  });
}

/** Returns a row of a list of names. */
export function viewRow(name: string, isRequired: boolean, content: HtmlValue): Html {
  const mark = isRequired ? Html.of` <em>required</em>` : undefined;
  return Html.of`<div><dt><code>${name}</code>${mark}</dt><dd>${content}</dd></div>`;
}

/** Returns the description of a schema, or of its first described choice. */
function findDescription({ description, anyOf }: JsonSchema): unknown {
  return description ?? toSchemas(anyOf).find((choice) => "description" in choice)?.["description"];
}

function toUnique(words: readonly Html[]): readonly Html[] {
  return Array.from(new Map(words.map((word) => [word.markup, word])).values());
}

function join(words: readonly HtmlValue[]): HtmlValue {
  return words.map((word, index) => (index === 0 ? word : [" or ", word]));
}

function toSchemas(values: unknown): readonly JsonSchema[] {
  return Array.isArray(values) ? values.filter(isSchema) : [];
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
