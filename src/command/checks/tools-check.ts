/** Connects to the servers of tools, lists their tools, and shows how to fix each problem. Calls no tool. */
import type { AppOptions } from "../../app.ts";
import { systemClock } from "../../base/clock.ts";
import { toPrintable } from "../../observe/printable.ts";
import type { ToolServerSettings } from "../../tools/settings.ts";
import type { ToolServer } from "../../tools/tool-server.ts";
import { McpToolServers } from "../../tools/tool-servers.ts";
import type { Finding } from "../finding.ts";

const subject = "tools";
/** How long the servers may take to start: the first time, npx downloads them. */
const timeoutMs = 70_000;

/** Signs of a failed connection, each with its advice. */
const adviceRules: readonly (readonly [sign: RegExp, advice: string])[] = [
  [/ENOENT/, "install the command, or write its whole path; also check that cwd exists"],
  [/EACCES|EPERM/, "make the command a file that this user may run"],
  [/process ended/, "run the command in a terminal to see its output; check args and env"],
  [/ENOTFOUND|EAI_AGAIN/, "correct the host of its url"],
  [/ECONNREFUSED/, "start the server, or correct host and port of its url"],
  [/certificate|CERT|self[- ]signed/i, "set NODE_EXTRA_CA_CERTS=<PEM file> to its certificate authority"],
  [/unauthorized|forbidden|\b40[13]\b/i, "check the credentials in headers"],
  [
    /\b40[45]\b|Method Not Allowed|Not Found/i,
    "url must be the server's endpoint for streamable HTTP, often /mcp; the older transport, SSE, is not supported",
  ],
  [/content type/i, "url leads to something else than an MCP server; check it"],
  [
    /timed? ?out|timeout/i,
    "the server does not respond: check its log, or run its command in a terminal. A command gets proxies and certificates only from its env",
  ],
];

/** Checks the servers. Never rejects. */
export async function checkTools(options: AppOptions["toolServers"]): Promise<readonly Finding[]> {
  if (options === undefined) return [];
  const tools = new McpToolServers(options, systemClock, () => {});
  try {
    await tools.ready(timeoutMs);
    const offered = new Set(tools.tools.map(({ name }) => name));
    const findings = [
      ...tools.servers.flatMap((server) => checkServer(server, offered)),
      ...options.disabled.map((name) => ({ subject, isWell: true, text: `${name}: disabled` })),
    ];
    return findings.map((finding) => ({ ...finding, text: toPrintable(finding.text) }));
  } finally {
    await tools.close();
  }
}

function checkServer(server: ToolServer, offered: ReadonlySet<string>): readonly Finding[] {
  const { settings, list, trouble } = server;
  const place = `${settings.name} (${toPlace(settings)})`;
  if (!server.isConnected) return [toProblem(place, trouble ?? "timed out")];
  const names = (isIn: (needsApproval: boolean) => boolean): string =>
    list.usable.flatMap(({ tool, ownName }) => (isIn(tool.needsApproval) ? [ownName] : [])).join(", ");
  const groups = [
    ["read", names((needsApproval) => !needsApproval)],
    ["ask", names((needsApproval) => needsApproval)],
    ["off", list.off.join(", ")],
  ];
  const lacking = list.usable.filter(({ tool }) => !offered.has(tool.name)).map(({ ownName }) => ownName);
  const warnings = [
    ...list.warnings.map(({ tool, reason }) => `${tool}: ${reason}`),
    ...(lacking.length === 0 ? [] : [`too many tools in all; these are not offered: ${lacking.join(", ")}`]),
  ];
  return [
    { subject, isWell: true, text: `${place}: ${list.usable.length} tools` },
    ...groups.flatMap(([access, text]) =>
      text === "" ? [] : [{ subject, isWell: true, text: `${settings.name}: ${access}: ${text}` }],
    ),
    ...warnings.map((text) => ({
      subject,
      isWell: true,
      isWarning: true,
      text: `${settings.name}: ${text}`,
    })),
  ];
}

function toProblem(place: string, reason: string): Finding {
  const advice = adviceRules.find(([sign]) => sign.test(reason))?.[1];
  const text = `${place}: ${reason}`;
  return { subject, isWell: false, text, fix: advice ?? "check the server's entry in MCP_SERVERS_FILE" };
}

/** Returns where a server is, without arguments, queries and passwords, which may be secrets. */
function toPlace({ address }: ToolServerSettings): string {
  if (address.type === "stdio") return address.command;
  const { origin, pathname } = new URL(address.url);
  return `${origin}${pathname}`;
}
