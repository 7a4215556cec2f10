/** The form of a server's entry in the file of tool servers. */
import { z } from "zod";
import { toolAccesses } from "../../tools/settings.ts";

const maxTimeoutMs = 90_000;
const text = z.string("must be a text");
const filled = text.min(1, "must not be empty");
const flag = z.boolean("must be true or false");
const timeoutMessage = `must be a whole number of milliseconds from 1 to ${maxTimeoutMs}`;
const accessMessage = `must be ${toolAccesses.map((word) => `"${word}"`).join(", ")}, or an object like {"access":"ask","price":0.01}`;

const ToolEntry = z.preprocess(
  (value) => (typeof value === "string" ? { access: value } : value),
  z.strictObject(
    {
      access: z.enum(toolAccesses, accessMessage).optional(),
      price: z.number("must be a number").min(0, "must be at least 0").optional(),
    },
    accessMessage,
  ),
);

/** An entry; clients of MCP write other keys, too. */
export const ServerEntry = z.looseObject(
  {
    type: z
      .enum(
        ["stdio", "http", "streamable-http", "streamable_http", "streamableHttp", "sse"],
        'must be "stdio" or "http"',
      )
      .optional(),
    command: filled.optional(),
    args: z.array(text, "must be a list of texts").optional(),
    env: z
      .record(
        text.regex(/^[^=\0]+$/, "is not the name of a variable"),
        z.union([z.string(), z.number(), z.boolean()], "must be a text"),
        "must be an object of texts",
      )
      .optional(),
    cwd: filled.optional(),
    url: filled.optional(),
    headers: z.record(z.string(), text, "must be an object of texts").optional(),
    tools: z
      .record(z.string(), ToolEntry, 'must be an object like {"<tool>":"read"}, of read, ask and off')
      .optional(),
    trusted: flag.optional(),
    disabled: flag.optional(),
    timeoutMs: z.int(timeoutMessage).min(1, timeoutMessage).max(maxTimeoutMs, timeoutMessage).optional(),
  },
  "must be an object with a command or a url",
);
export type ServerEntry = z.infer<typeof ServerEntry>;

/** The keys of an entry. */
export const serverKeys: ReadonlySet<string> = new Set(Object.keys(ServerEntry.shape));

/** The settings that keys of other clients stand for. */
const hints: ReadonlyMap<string, string> = new Map([
  ["serverUrl", "write url"],
  ["httpUrl", "write url"],
  ["transport", "write type"],
  ["transportType", "write type"],
  ["timeout", "write timeoutMs, in milliseconds"],
  ["enabled", 'write "disabled": true to switch a server off'],
  ["envFile", "write its variables into env, like ${env:NAME}"],
  ["autoApprove", 'write "tools": {"<tool>": "read"}'],
  ["alwaysAllow", 'write "tools": {"<tool>": "read"}'],
  ["disabledTools", 'write "tools": {"<tool>": "off"}'],
  ["excludeTools", 'write "tools": {"<tool>": "off"}'],
  ["trust", "write trusted"],
]);

/** Returns the end of a sentence about an unknown key. */
export function toHint(key: string): string {
  const hint = hints.get(key);
  return hint === undefined ? "" : `: ${hint}`;
}
