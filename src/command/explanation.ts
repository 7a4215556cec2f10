/** The message of a process that ends with an error: how to fix it, or a bug's stack. */

/** Advice for each system error about an address. */
const listenAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: "Another process is listening there; set PORT to a free port. For example: PORT=8001 npm start",
  EACCES:
    "This user may not open ports below 1024; set PORT to 1024 or more, and put a proxy on the other port",
  EADDRNOTAVAIL:
    "This machine does not have that address; set HOST to 127.0.0.1, to 0.0.0.0 for all addresses, or to one of its own",
  ENOTFOUND:
    "This machine cannot resolve HOST; set it to 127.0.0.1, to 0.0.0.0 for all addresses, or to one of its own",
  EAI_AGAIN:
    "HOST cannot be resolved right now; set it to 127.0.0.1, to 0.0.0.0 for all addresses, or to one of its own",
};

/** Returns the text to print for `error`, without a final line break. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return `Foreword cannot start: ${String(error)}`;
  if (error.name === "ConfigError") return `Foreword cannot start: ${error.message}\nSee .env.example.`;
  const code = "code" in error ? String(error.code) : "";
  const syscall = "syscall" in error ? String(error.syscall) : "";
  if (["listen", "bind", "getaddrinfo"].includes(syscall)) {
    const prefix = "prefix" in error ? String(error.prefix) : "";
    const words = (listenAdvice[code] ?? "See HOST and PORT").replaceAll(/\b(?:HOST|PORT)\b/g, `${prefix}$&`);
    return `Foreword cannot start: ${error.message}. ${words}.`;
  }
  const advice =
    "advice" in error && typeof error.advice === "string" ? `\nWhat to do: ${error.advice}.` : "";
  if (code.startsWith("store_")) return `Foreword cannot continue: ${error.message}.${advice}`;
  // A refusal of the system is not a bug of ours.
  if (syscall !== "") return `Foreword cannot continue: ${error.message}.`;
  return error.stack ?? error.message;
}
