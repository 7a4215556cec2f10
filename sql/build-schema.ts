/**
 * Builds `supabase_schema.sql` from the pieces in this folder: `npm run schema`. `schema.sql` names the
 * pieces in order.
 *
 * - `\ir path` includes a file, or all files of a folder (`*.sql`) in the order of their names.
 * - `{{version}}` and `{{serves_from}}` are the versions that `src/store/database/database.ts` holds.
 * - `{{statements paths}}`, `{{steps}}`, `{{tables}}` and the like become lists of strings, for the loops
 *   that run them.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { oldestSchemaVersion, schemaVersion } from "../src/store/database/database.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const target = fileURLToPath(new URL("../supabase_schema.sql", import.meta.url));

/** Returns the text of `supabase_schema.sql`. */
export function buildSchema(): string {
  const text = include("schema.sql");
  const declared = {
    tables: listMatches(text, /^create (?:unlogged )?table if not exists (\S+) \(/gm),
    "trigger functions": listFunctions(text, "public", "trigger"),
    functions: listFunctions(text, "public", "(?!trigger)"),
    "internal functions": listFunctions(text, "foreword", ""),
  };
  const values = {
    version: String(schemaVersion),
    serves_from: String(oldestSchemaVersion), // servers of the last release work with this schema
    steps: listFiles("steps/*.sql").map(toStep).join(",\n"),
    ...Object.fromEntries(Object.entries(declared).map(([name, list]) => [name, toList(list)])),
  };
  return text.replaceAll(/\{\{(?:statements ([^}]+)|([\w ]+))\}\}/g, (whole, paths?: string, name = "") => {
    if (paths !== undefined) return paths.split(" ").flatMap(listFiles).flatMap(toStatements).join(",\n");
    const value = new Map(Object.entries(values)).get(name);
    if (value === undefined) throw new Error(`${whole} is not a value that the schema is built with`);
    return value;
  });
}

function include(path: string): string {
  return read(path).replaceAll(/^\\ir (\S+)$/gm, (_, included: string) =>
    listFiles(included)
      .map((file) => include(file).trimEnd())
      .join("\n\n"),
  );
}

function read(path: string): string {
  return readFileSync(join(folder, path), "utf8");
}

/**
 * Returns the paths that `pattern` stands for: itself, or the files of a folder in the order of their names.
 */
function listFiles(pattern: string): readonly string[] {
  if (!pattern.endsWith("/*.sql")) return [pattern];
  const path = pattern.slice(0, -"/*.sql".length);
  const names = readdirSync(join(folder, path)).filter((name) => name.endsWith(".sql"));
  return names.toSorted().map((name) => `${path}/${name}`);
}

function listMatches(text: string, pattern: RegExp): readonly string[] {
  return Array.from(text.matchAll(pattern), ([, name = ""]) => name);
}

/** Returns the functions of a schema with the types of their arguments, as `regprocedure` reads them. */
function listFunctions(text: string, schema: string, result: string): readonly string[] {
  const pattern = new RegExp(
    `^create or replace function (${schema}\\.\\w+\\([^)]*\\))\\s+returns ${result}`,
    "gm",
  );
  return listMatches(text, pattern).map((signature) =>
    signature.replace(/\((.*)\)$/s, (_, names: string) => `(${toTypes(names)})`),
  );
}

/** Returns the types in a list of arguments: `argument jsonb, place integer` is `jsonb, integer`. */
function toTypes(names: string): string {
  return names
    .split(",")
    .map((name) => name.trim().replace(/^\w+\s+/, ""))
    .join(", ");
}

function toList(names: readonly string[]): string {
  return names.map((name) => `    '${name}'`).join(",\n");
}

/** Returns the statements of a file as strings, each below its comment. */
function toStatements(path: string): readonly string[] {
  return read(path)
    .trim()
    .split(/;\n+|;$/)
    .filter((part) => part !== "")
    .map((part) => {
      const [, comment = "", statement = ""] = /^((?:--.*\n)*)([^]*)$/.exec(part) ?? [];
      return `${comment}$sql$${statement}$sql$`.replaceAll(/^(?=.)/gm, "    ");
    });
}

/** Returns a step as a row: its number and version, its table, the columns it adds, and its statements. */
function toStep(path: string): string {
  const text = read(path).trimEnd();
  const [, number = "", version = ""] =
    /^steps\/0*(\d+)-[a-z-]+\.sql\n-- version (\d+)$/m.exec(`${path}\n${text}`) ?? [];
  const table = /^(?:-- on|alter table) (\S+)/m.exec(text)?.[1] ?? "";
  const isColumns = /^alter table /m.test(text);
  const columns = isColumns ? listMatches(text, /add column if not exists (\w+)/g) : [];
  if (version === "" || table === "") throw new Error(`${path} names no version, or no table`);
  const list = columns.map((name) => `'${name}'`).join(", ");
  const statements = text.replace(/^-- version .*\n(?:-- on .*\n)?/, "");
  return `      (${number}, ${version}, '${table}', array[${list}]::text[], $step$\n${statements}\n$step$)`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, buildSchema());
