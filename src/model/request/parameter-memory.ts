/** The parameters that a model has shown to refuse, and how its requests are changed for it. */
import { createHash } from "node:crypto";
import { softParameters } from "./soft-parameters.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A change of a request after a refusal. Without further fields, the parameter is left out. */
export interface Correction {
  /** The parameter, or a form of messages. */
  readonly name: string;
  /** The key of the only value that is refused; absent if all are. */
  readonly value?: string;
  /** Whether the model has told that it takes other values. */
  readonly isAlone?: boolean;
  /** The parameter beside which alone it is refused. */
  readonly beside?: string;
  /** Sent instead of `value`. */
  readonly replacement?: string;
  /** The name under which it is sent instead. */
  readonly newName?: string;
}

/** How many refused values of a parameter are remembered. */
const maxValues = 16;
/** A parameter none of whose values was accepted is refused altogether after so many of them. */
const maxRefusedValues = 3;
/** Longer values are remembered by their digests, in characters of JSON. */
const maxValueLength = 200;

/** Returns the key of a parameter's value: its JSON, or a digest of it. */
export function toValueKey(value: unknown): string {
  const key = JSON.stringify(value);
  return key.length <= maxValueLength ? key : createHash("sha256").update(key).digest("hex");
}

/** Corrections of requests to one model. */
export class ParameterMemory {
  readonly #leftOut = new Set<string>();
  readonly #newNames: Map<string, string>;
  readonly #besides = new Map<string, string>();
  /** By parameter and value. */
  readonly #values = new Map<string, Map<string, Correction>>();
  /** Parameters with a value that was accepted, also before another was refused. */
  readonly #accepted = new Set<string>();

  /** @param newNames the names under which parameters are always sent. */
  constructor(newNames: Readonly<Record<string, string>> = {}) {
    this.#newNames = new Map(Object.entries(newNames));
  }

  /** Whether a parameter is refused, whatever its value. */
  leavesOut(name: string): boolean {
    return this.#leftOut.has(name);
  }

  /** Returns a copy that knows `corrections` as well. */
  with(corrections: readonly Correction[]): ParameterMemory {
    const copy = new ParameterMemory(Object.fromEntries(this.#newNames));
    for (const name of this.#leftOut) copy.#leftOut.add(name);
    for (const [name, other] of this.#besides) copy.#besides.set(name, other);
    for (const [name, values] of this.#values) copy.#values.set(name, new Map(values));
    for (const correction of corrections) copy.learn(correction);
    return copy;
  }

  /** Remembers a correction with which the model has replied. */
  learn(correction: Correction): void {
    const { name, value, beside, newName } = correction;
    if (newName !== undefined) this.#newNames.set(name, newName).delete(newName);
    else if (beside !== undefined) this.#besides.set(name, beside);
    else if (value === undefined) this.#leftOut.add(name);
    else this.#learnValue(name, value, correction);
  }

  /** Remembers that the model has replied to a request with `parameters`. */
  accept(parameters: Fields): void {
    for (const name of Object.keys(parameters))
      if (softParameters.has(name) || this.#values.has(name)) this.#accepted.add(name);
  }

  /** Returns `parameters` as the model takes them. */
  apply(parameters: Fields): Fields {
    const { size } = this.#newNames;
    if (size + this.#leftOut.size + this.#besides.size + this.#values.size === 0) return parameters;
    const sent = new Map<string, unknown>();
    for (const [given, value] of Object.entries(parameters)) {
      const name = this.#newNames.get(given) ?? given;
      sent.set(name, sent.has(name) ? toStricter(sent.get(name), value) : value);
    }
    for (const name of this.#leftOut) sent.delete(name);
    for (const name of this.#values.keys()) this.#replace(name, sent);
    for (const [name, other] of this.#besides) if (sent.has(other)) sent.delete(name);
    return Object.fromEntries(sent);
  }

  #replace(name: string, sent: Map<string, unknown>): void {
    const values = this.#values.get(name);
    // A replacement may have been refused in its turn.
    for (let steps = 0; sent.has(name) && steps < maxValues; steps += 1) {
      const correction = values?.get(toValueKey(sent.get(name)));
      if (correction === undefined) return;
      if (correction.replacement === undefined) sent.delete(name);
      else sent.set(name, correction.replacement);
    }
  }

  #learnValue(name: string, value: string, correction: Correction): void {
    const values = this.#values.get(name) ?? new Map<string, Correction>();
    this.#values.set(name, values.set(value, correction));
    const all = Array.from(values.values());
    const takesOthers = all.some(({ replacement, isAlone }) => replacement !== undefined || isAlone === true);
    if (all.length >= maxRefusedValues && !takesOthers && !this.#accepted.has(name)) this.#leftOut.add(name);
    const [oldest] = values.keys();
    if (values.size > maxValues && oldest !== undefined) values.delete(oldest);
  }
}

/** Returns the smaller one of two bounds that are sent under one name; of other values the first. */
function toStricter(first: unknown, second: unknown): unknown {
  return typeof first === "number" && typeof second === "number" ? Math.min(first, second) : first;
}

/** Whether `correction` gives a parameter a name that was refused before. */
export function isUndone({ newName }: Correction, { name }: Correction): boolean {
  return newName !== undefined && newName === name;
}
