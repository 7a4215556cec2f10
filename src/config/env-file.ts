/** Reads `.env` in any encoding that editors use: its variables, and warnings about likely mistakes. */
import { parseEnv } from "node:util";

/** The contents of a file. */
export interface EnvFile {
  readonly variables: Readonly<Record<string, string>>;
  /** A sentence for each line with an unexpected meaning; none quotes a value. */
  readonly warnings: readonly string[];
}

/** An assignment, whose value may be quoted and then span several lines. */
const assignment =
  /^[ \t]*(?:export[ \t]+)?(?<name>[\w.-]+)[ \t]*=[ \t]*(?:(?<quote>["'`])[^]*?\k<quote>.*|(?<plain>.*))$/gm;

/** Returns the variables in `bytes`: lines of `NAME=value`, as Node reads them. */
export function parseEnvFile(bytes: Uint8Array): EnvFile {
  const text = decode(bytes)
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/^[ \t]*export[ \t]+/gm, "");
  const warnings: string[] = [];
  const rest = text.replaceAll(assignment, (line: string, ...groups: unknown[]) => {
    const { name, plain } = toGroups(groups.at(-1));
    if (/^["'`]/.test(plain)) warnings.push(`${name} in .env starts with a quote that is never closed.`);
    else if (/[^\s#]#/.test(plain.replace(/\s#.*/, "")))
      warnings.push(`${name} in .env is cut off at its first #, which starts a comment; quote the value.`);
    return line.replaceAll(/[^\n]/g, ""); // lines keep their numbers
  });
  for (const [index, line] of rest.split("\n").entries())
    if (!/^\s*(?:#.*)?$/.test(line))
      warnings.push(`Line ${index + 1} of .env is ignored: it is not of the form NAME=value.`);
  const variables = Object.entries(parseEnv(text)).map(([name, value = ""]) => [name, value] as const);
  return { variables: Object.fromEntries(variables), warnings };
}

function toGroups(groups: unknown): { readonly name: string; readonly plain: string } {
  if (typeof groups !== "object" || groups === null) return { name: "", plain: "" };
  const { name, plain }: { name?: unknown; plain?: unknown } = groups;
  return { name: String(name), plain: typeof plain === "string" ? plain : "" };
}

/** Decodes UTF-8 and UTF-16; Notepad and PowerShell write UTF-16, and a byte order mark. */
function decode(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}
