/** The last words of a process that ends in an error: a sentence that tells its user what to do, or, for a bug of ours, the whole error. */

/** Advice for each system error about an address. */
const listenAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: "Another process listens there; set PORT to a free one. For example: PORT=8001 npm start",
  EACCES:
    "Ports below 1024 need rights that this user does not have; set PORT to 1024 or more, and let a proxy take the other",
  EADDRNOTAVAIL:
    "This machine has no such address; set HOST to 127.0.0.1, to 0.0.0.0 for all, or to one of its own",
  ENOTFOUND:
    "HOST is no name that this machine can resolve; set it to 127.0.0.1, to 0.0.0.0 for all, or to one of its addresses",
  EAI_AGAIN:
    "HOST is a name that cannot be resolved now; set it to 127.0.0.1, to 0.0.0.0 for all, or to one of its addresses",
};

/** Returns what to print for `error`, without a line break at its end. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return `Foreword cannot start: ${String(error)}`;
  if (error.name === "ConfigError") return `Foreword cannot start: ${error.message}\nSee .env.example.`;
  const code = "code" in error ? String(error.code) : "";
  const syscall = "syscall" in error ? String(error.syscall) : "";
  if (["listen", "bind", "getaddrinfo"].includes(syscall))
    return `Foreword cannot start: ${error.message}. ${listenAdvice[code] ?? "See HOST and PORT"}.`;
  const advice =
    "advice" in error && typeof error.advice === "string" ? `\nWhat to do: ${error.advice}.` : "";
  if (code.startsWith("store_")) return `Foreword cannot go on: ${error.message}.${advice}`;
  // What the system refuses is not for us to fix.
  if (syscall !== "") return `Foreword cannot go on: ${error.message}.`;
  return error.stack ?? error.message;
}
