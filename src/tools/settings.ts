/** The settings of the servers whose tools a turn may use. */

/** How a tool may be used: without asking, only if its user approves the call, or not at all. */
export const toolAccesses = ["read", "ask", "off"] as const;
/** One of {@link toolAccesses}. */
export type ToolAccess = (typeof toolAccesses)[number];

/** The settings of one tool. */
export interface ToolSettings {
  /** `undefined`: `ask`, unless a trusted server says that the tool only reads. */
  readonly access?: ToolAccess | undefined;
  /** The price of a call, in the currency of the model's prices. */
  readonly price?: number | undefined;
}

/** How a server is reached. */
export type ToolServerAddress =
  | {
      readonly type: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      /** Added to the few variables that every child process gets. */
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string;
    }
  | { readonly type: "http"; readonly url: string; readonly headers: Readonly<Record<string, string>> };

/** The settings of a server. */
export interface ToolServerSettings {
  /** Its name in the file. */
  readonly name: string;
  /** The first part of its tools' names: 1 to 40 of `[A-Za-z0-9_-]`, without `__` and no `_` at its end. */
  readonly prefix: string;
  readonly address: ToolServerAddress;
  /** By the names that the server gives its tools. */
  readonly tools: ReadonlyMap<string, ToolSettings>;
  /** Whether its claims about its own tools are believed. */
  readonly isTrusted: boolean;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** The settings of all servers. */
export interface ToolServersOptions {
  /** The path of the file they are from. */
  readonly file: string;
  readonly servers: readonly ToolServerSettings[];
  /** The names of servers that are switched off. */
  readonly disabled: readonly string[];
}
