/** Schemas of response types, written beside each type and compared with it by the compiler. */
import { z } from "zod";
import { errorTable } from "../../base/error-table.ts";
import type { ErrorCode } from "../../base/errors.ts";

/** The schemas of responses, by their names in the OpenAPI document. */
export const responseSchemas = z.registry<{ readonly id: string }>();

/** Drops `readonly`, which zod's types do not have. */
type Mutable<Type> = Type extends readonly [infer First]
  ? [Mutable<First>]
  : Type extends readonly (infer Item)[]
    ? Mutable<Item>[]
    : Type extends object
      ? { -readonly [Key in keyof Type]: Mutable<Type[Key]> }
      : Type;

/**
 * Returns a function that takes the name and schema of the response type `Wire`. It compiles only if type and
 * schema describe exactly the same values. The schema is made on its first use: until the OpenAPI document is
 * requested, it costs nothing.
 */
export function schemaOf<Wire>() {
  return <Schema extends z.ZodType<Mutable<Wire>>>(
    id: string,
    make: () => Schema &
      (Mutable<Wire> extends z.output<Schema> ? unknown : "the type allows values that the schema does not"),
  ): (() => Schema) => {
    let made: Schema | undefined;
    return () => {
      if (made !== undefined) return made;
      made = make();
      responseSchemas.add(made, { id });
      return made;
    };
  };
}

/** The codes of the error table, in its order. */
export const errorCodes: readonly ErrorCode[] = Object.keys(errorTable).filter(isCode);

function isCode(name: string): name is ErrorCode {
  return Object.hasOwn(errorTable, name);
}

export const Id = z.guid();
export const Code = z.enum(errorCodes);
/** ISO 8601. */
export const Time = z.iso.datetime({ offset: true });
export const Count = z.int().min(0);
export const Milliseconds = z.number().min(0);
