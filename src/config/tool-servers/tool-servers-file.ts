/** The file of tool servers, in the form that Claude Desktop, Cursor and VS Code write. */
import { dirname, resolve } from "node:path";
import { homedir } from "node:os";
import { isRecord } from "../../base/json.ts";
import type { ToolServerAddress, ToolServerSettings, ToolServersOptions } from "../../tools/settings.ts";
import { Expansion } from "../files/expansion.ts";
import { checkHeaders, fromPath, parseFile, toPlace, type Tell } from "../files/settings-file.ts";
import { ServerEntry, serverKeys, toHint } from "./server-entry.ts";

const defaultTimeoutMs = 20_000;
const maxPrefixLength = 40;

/** The contents of a file. */
export interface ToolServersFile {
  /** `undefined` if there are problems. */
  readonly options: ToolServersOptions | undefined;
  /** A sentence for each fault, with its place. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** Texts that must never be logged. */
  readonly secrets: readonly string[];
  /** The names of the variables that the file refers to. */
  readonly usedNames: readonly string[];
}

/** Returns the settings in `file`, a path that may be relative. Never throws. */
export function readToolServersFile(
  file: string,
  variables: Readonly<Record<string, string | undefined>>,
): ToolServersFile {
  const path = resolve(file);
  const problems: string[] = [];
  const warnings: string[] = [];
  const expansion = new Expansion(variables);
  const parsed = parseFile(path, (problem) => problems.push(`${file}: ${problem}`));
  if (parsed === undefined)
    return { options: undefined, problems, warnings, secrets: [], usedNames: Array.from(expansion.names) };
  for (const { path: place, text } of parsed.badKeys) problems.push(`${file}: ${toPlace(place)} ${text}`);
  const [key, entries] = findEntries(parsed.value);
  if (entries === undefined) {
    problems.push(`${file}: ${key} must be an object of servers by their names`);
    return { options: undefined, problems, warnings, secrets: [], usedNames: Array.from(expansion.names) };
  }
  const servers: ToolServerSettings[] = [];
  const disabled: string[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const reader = new EntryReader(name, dirname(path), expansion, {
      refuse: (place, text) => problems.push(`${file}: ${toPlace([key, name, ...place])} ${text}`),
      warn: (place, text) => warnings.push(`${file}: ${toPlace([key, name, ...place])} ${text}`),
    });
    const settings = reader.read(entry);
    if (settings === "disabled") disabled.push(name);
    else if (settings !== undefined) servers.push(settings);
  }
  for (const problem of findEqualPrefixes(servers)) problems.push(`${file}: ${key}: ${problem}`);
  return {
    options: problems.length > 0 ? undefined : { file, servers, disabled },
    problems,
    warnings,
    secrets: [...expansion.values, ...servers.flatMap(findServerSecrets)],
    usedNames: Array.from(expansion.names),
  };
}

/** Returns the servers, and the key that they stand under. */
function findEntries(value: unknown): readonly [key: string, entries: object | undefined] {
  if (!isRecord(value)) return ["the file", undefined];
  const { mcpServers, servers }: { mcpServers?: unknown; servers?: unknown } = value;
  const [key, entries] =
    mcpServers === undefined && servers !== undefined ? ["servers", servers] : ["mcpServers", mcpServers];
  return [key, isRecord(entries) ? entries : undefined];
}

/** Reads the entry of one server. */
class EntryReader {
  readonly #name: string;
  readonly #folder: string;
  readonly #expansion: Expansion;
  readonly #refuse: Tell;
  readonly #warn: Tell;

  constructor(
    name: string,
    folder: string,
    expansion: Expansion,
    tell: { readonly refuse: Tell; readonly warn: Tell },
  ) {
    this.#name = name;
    this.#folder = folder;
    this.#expansion = expansion;
    this.#refuse = tell.refuse;
    this.#warn = tell.warn;
  }

  /** Returns `undefined` if the entry has faults. */
  read(value: unknown): ToolServerSettings | "disabled" | undefined {
    const { data: entry, error } = ServerEntry.safeParse(value);
    for (const { path, message } of error?.issues ?? []) this.#refuse(fromPath(path), message);
    const prefix = this.#toPrefix();
    if (entry === undefined) return undefined;
    for (const key of Object.keys(entry))
      if (!serverKeys.has(key)) this.#warn([key], `is not a setting and is ignored${toHint(key)}`);
    if (entry.disabled === true) return "disabled";
    const address = this.#toAddress(entry);
    if (address === undefined || prefix === undefined) return undefined;
    return {
      name: this.#name,
      prefix,
      address,
      tools: new Map(Object.entries(entry.tools ?? {})),
      isTrusted: entry.trusted ?? false,
      timeoutMs: entry.timeoutMs ?? defaultTimeoutMs,
    };
  }

  #toPrefix(): string | undefined {
    const prefix = this.#name.replaceAll(/[^A-Za-z0-9-]+/g, "_").replaceAll(/^_|_$/g, "");
    if (prefix.length > 0 && prefix.length <= maxPrefixLength) return prefix;
    this.#refuse(
      [],
      `must have a name with 1 to ${maxPrefixLength} letters, digits, - and _: its tools' names start with it`,
    );
    return undefined;
  }

  #toAddress(entry: ServerEntry): ToolServerAddress | undefined {
    const isRemote = entry.type === undefined ? entry.command === undefined : entry.type !== "stdio";
    if (entry.type === "sse") {
      this.#refuse(
        ["type"],
        'is "sse", a transport that MCP has replaced: use the server\'s streamable HTTP URL, with "type": "http"',
      );
      return undefined;
    }
    if (entry.command !== undefined && entry.url !== undefined) {
      this.#refuse([], "has both command and url: a server is either a process or at a URL");
      return undefined;
    }
    return isRemote ? this.#toHttp(entry) : this.#toStdio(entry);
  }

  #toStdio(entry: ServerEntry): ToolServerAddress | undefined {
    const { command, args = [], env = {}, cwd = "." } = entry;
    if (command === undefined) {
      this.#refuse(["command"], 'is required with "type": "stdio"');
      return undefined;
    }
    const variables = Object.entries(env).map(
      ([name, value]) => [name, this.#expand(["env", name], String(value))] as const,
    );
    return {
      type: "stdio",
      command: toHome(this.#expand(["command"], command)),
      args: args.map((arg, index) => this.#expand(["args", index], arg)),
      env: Object.fromEntries(variables),
      cwd: resolve(this.#folder, toHome(this.#expand(["cwd"], cwd))),
    };
  }

  #toHttp(entry: ServerEntry): ToolServerAddress | undefined {
    if (entry.url === undefined) {
      this.#refuse(
        [],
        entry.type === undefined
          ? "must have a command or a url"
          : `must have a url with "type": "${entry.type}"`,
      );
      return undefined;
    }
    const url = this.#expand(["url"], entry.url);
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
      this.#refuse(["url"], "must be a URL that starts with http:// or https://");
      return undefined;
    }
    const headers = Object.entries(entry.headers ?? {}).map(
      ([name, value]) => [name, this.#expand(["headers", name], value)] as const,
    );
    checkHeaders(headers, ["headers"], this.#refuse);
    return { type: "http", url, headers: Object.fromEntries(headers) };
  }

  #expand(place: readonly (string | number)[], text: string): string {
    const expanded = this.#expansion.expand(text, (sentence) => this.#refuse(place, sentence));
    if (!expanded.includes("\0")) return expanded;
    this.#refuse(place, "must not contain NUL");
    return "";
  }
}

/** Returns `path` with `~` at its start replaced, as a shell would. */
function toHome(path: string): string {
  return path.replace(/^~(?=$|[/\\])/, () => homedir());
}

function findEqualPrefixes(servers: readonly ToolServerSettings[]): readonly string[] {
  const groups = Map.groupBy(servers, ({ prefix }) => prefix.toLowerCase());
  return Array.from(groups.values())
    .filter(({ length }) => length > 1)
    .map(
      ([first, ...others]) =>
        `${[first, ...others].map((server) => JSON.stringify(server?.name)).join(" and ")} would both name their tools ${first?.prefix}__…: rename one`,
    );
}

/** Returns the values that are probably secrets: headers, variables named like keys, and a URL's password. */
function findServerSecrets({ address }: ToolServerSettings): readonly string[] {
  if (address.type === "stdio")
    return Object.entries(address.env).flatMap(([name, value]) =>
      /key|token|secret|passw|credential|auth|_pat\b/i.test(name) ? [value] : [],
    );
  const { password, searchParams } = new URL(address.url);
  const values = Object.values(address.headers);
  return [
    ...values,
    ...values.map((value) => value.replace(/^\w+ +/, "")),
    ...searchParams.values(),
    ...(password === "" ? [] : [password]),
  ];
}
