/** Replaces `${NAME}` and `${env:NAME}` in files of settings. */
import { homedir } from "node:os";

const reference = /\$\{(?<kind>[A-Za-z]+:(?!-))?(?<name>[^}:]*)(?<fallback>:-[^}]*)?\}/g;

/** Texts with their references replaced, and the secrets that came in by them. */
export class Expansion {
  readonly #variables: Readonly<Record<string, string | undefined>>;
  readonly #refused: ReadonlySet<string>;
  /** The values of all variables used. */
  readonly values = new Set<string>();
  /** The names of all variables that were looked up. */
  readonly names = new Set<string>();

  /** @param refused the names of variables that no text may contain. */
  constructor(
    variables: Readonly<Record<string, string | undefined>>,
    refused: ReadonlySet<string> = new Set(),
  ) {
    this.#variables = variables;
    this.#refused = refused;
  }

  /**
   * Returns `text` with the variables that it refers to; tells `refuse` a sentence about each that is not
   * available.
   */
  expand(text: string, refuse: (sentence: string) => void): string {
    return text.replaceAll(reference, (whole: string, ...groups: unknown[]) => {
      const { kind, name, fallback } = toGroups(groups.at(-1));
      if (kind === "input:") {
        refuse(
          `uses ${whole}, which an editor prompts for: set an environment variable and use \${env:NAME} instead`,
        );
        return "";
      }
      if (kind === "" && name === "userHome") return homedir();
      if (kind !== "" && kind !== "env:") {
        refuse(`uses ${whole}, which is not supported: use \${env:NAME}`);
        return "";
      }
      if (kind === "" && name.startsWith("workspaceFolder")) {
        refuse(`uses ${whole}, which only an editor knows: write the path, relative to the file`);
        return "";
      }
      this.names.add(name);
      if (this.#refused.has(name)) {
        refuse(`uses ${whole}, a setting of this server, which no other server may get`);
        return "";
      }
      const value = Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined;
      if (value !== undefined && value !== "") {
        this.values.add(value);
        return value;
      }
      if (fallback !== undefined) return fallback.slice(2);
      refuse(`uses ${whole}, but the environment variable ${name || "without a name"} is not set`);
      return "";
    });
  }
}

function toGroups(groups: unknown): {
  readonly kind: string;
  readonly name: string;
  readonly fallback: string | undefined;
} {
  if (typeof groups !== "object" || groups === null) return { kind: "", name: "", fallback: undefined };
  const { kind, name, fallback }: { kind?: unknown; name?: unknown; fallback?: unknown } = groups;
  return {
    kind: typeof kind === "string" ? kind : "",
    name: typeof name === "string" ? name : "",
    fallback: typeof fallback === "string" ? fallback : undefined,
  };
}
