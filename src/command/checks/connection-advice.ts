/** Why a server cannot be reached, and how to fix it. */

/** Stands for the name of a server in advice. */
const serverMark = "{server}";
/** Signs of a failed connection, each with its cause and advice, which the name of the setting precedes. */
const connectionRules: readonly (readonly [sign: RegExp, text: string, advice: string])[] = [
  [/ENOTFOUND|EAI_AGAIN/, "host not found", "correct the host"],
  [/ECONNREFUSED/, "nothing is listening there", `start ${serverMark}, or correct host and port`],
  [/ERR_SSL_WRONG_VERSION_NUMBER|EPROTO|WRONG_VERSION/, "it speaks http, not https", "start it with http://"],
  [
    /CERT|certificate|self[- ]signed|ALTNAME|UNABLE_TO_/i,
    "its certificate cannot be verified",
    "set NODE_EXTRA_CA_CERTS=<PEM file> to its certificate authority, or correct the host",
  ],
  [
    /ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|TIMEOUT|timed out/i,
    "no response",
    "correct the host, and allow the connection in firewalls and proxies",
  ],
  [
    /ECONNRESET|SOCKET|closed|terminated/i,
    "the server closed the connection",
    "correct host and port, and check its log",
  ],
];

/** What is known of a failed connection. */
interface ConnectionFailure {
  /** The messages of the error and its causes. */
  readonly words: string;
  /** A sentence and advice, which the name of a setting precedes; `undefined` if the cause is unknown. */
  readonly known: { readonly text: string; readonly advice: string } | undefined;
}

/** Returns why a connection failed. @param server its name in a sentence, like `the server`. */
export function explainConnection(error: unknown, server: string): ConnectionFailure {
  const words = listCauses(error).join(": ").replaceAll(/\s+/g, " ").trim();
  const rule = connectionRules.find(([sign]) => sign.test(words));
  return { words, known: rule && { text: rule[1], advice: rule[2].replace(serverMark, server) } };
}

/** Returns the messages of an error and its causes, with their codes. */
function listCauses(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  const inner = error instanceof AggregateError ? error.errors.flatMap(listCauses) : [];
  const causes = error.cause === undefined ? inner : listCauses(error.cause);
  const own = error.message === "" ? [] : [`${error.message}${code}`];
  return [...own, ...causes];
}
