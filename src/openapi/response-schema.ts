/** Owns how answers are described: schemas that the compiler holds against the types that the wires are written with. */
import { z } from "zod";
import { errorTable, type ErrorCode } from "../base/errors.ts";
import { finishReasons, outcomes, storages } from "../turn/turn-event.ts";

/** The schemas of answers, by the names that the document has them under. */
export const responseSchemas = z.registry<{ readonly id: string }>();

/** As zod has types: not readonly. */
type Mutable<Type> = Type extends readonly [infer First]
  ? [Mutable<First>]
  : Type extends readonly (infer Item)[]
    ? Mutable<Item>[]
    : Type extends object
      ? { -readonly [Key in keyof Type]: Mutable<Type[Key]> }
      : Type;

/** Returns what names a schema of `Wire`: it compiles only where the two say the same, no more and no less. */
export function nameFor<Wire>() {
  return <Schema extends z.ZodType<Mutable<Wire>>>(
    id: string,
    schema: Schema & (Mutable<Wire> extends z.output<Schema> ? unknown : "the wire says what this does not"),
  ): Schema => {
    responseSchemas.add(schema, { id });
    return schema;
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
export const Outcome = z.enum(outcomes);
export const FinishReason = z.enum(finishReasons);

/** What is said of every turn that is over, beside its outcome. */
export const endFields = {
  finishReason: FinishReason.nullable(),
  usage: z
    .object({
      inputTokens: Count,
      outputTokens: Count,
      reasoningTokens: Count.exactOptional(),
      cachedInputTokens: Count.exactOptional(),
    })
    .nullable()
    .describe("In tokens, as the model counted them."),
  timings: z.object({ durationMs: Milliseconds.nullable(), firstTextMs: Milliseconds.nullable() }),
  storage: z.enum(storages),
};
