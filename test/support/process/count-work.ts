/** Counts the work done on strings, so that tests of its growth do not depend on the machine. */

/** Methods that may read their whole string. */
const readers = ["includes", "indexOf", "lastIndexOf", "split", "toLowerCase"] as const;
/** Methods that read the part they remove. */
const trimmers = ["trim", "trimStart", "trimEnd"] as const;

/** Measures a method's call: returns the characters read, before the call and once its result is known. */
type Measure = (self: unknown, parameter: unknown) => (result: unknown) => number;

/** Returns how many characters the string methods and patterns that `run` uses read, or copied, at worst. */
export function countWork(run: () => void): number {
  let work = 0;
  const count = (prototype: object, name: string, measure: Measure): (() => void) =>
    wrap(prototype, name, (self, parameter) => {
      const toCost = measure(self, parameter);
      return (result) => void (work += toCost(result));
    });
  const restores = [
    ...readers.map((name) => count(String.prototype, name, (text) => () => String(text).length)),
    ...trimmers.map((name) =>
      count(String.prototype, name, (text) => (rest) => String(text).length - String(rest).length + 2),
    ),
    count(String.prototype, "slice", () => (part) => String(part).length),
    count(RegExp.prototype, "exec", (pattern, text) => {
      const start = pattern instanceof RegExp && (pattern.global || pattern.sticky) ? pattern.lastIndex : 0;
      return (match) => {
        const isGlobal = pattern instanceof RegExp && pattern.global && match !== null;
        return Math.max(0, (isGlobal ? pattern.lastIndex : String(text).length) - start);
      };
    }),
  ];
  try {
    run();
  } finally {
    for (const restore of restores) restore();
  }
  return work;
}

/** Measures the calls of a method; returns a function that undoes that. */
function wrap(
  prototype: object,
  name: string,
  measure: (self: unknown, parameter: unknown) => (result: unknown) => void,
): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  const method: unknown = descriptor?.value;
  if (descriptor === undefined || typeof method !== "function") throw new Error(`there is no method ${name}`);
  const value = function (this: unknown, ...parameters: unknown[]): unknown {
    const end = measure(this, parameters[0]);
    const result: unknown = Reflect.apply(method, this, parameters);
    end(result);
    return result;
  };
  Object.defineProperty(prototype, name, { ...descriptor, value });
  return () => Object.defineProperty(prototype, name, descriptor);
}
