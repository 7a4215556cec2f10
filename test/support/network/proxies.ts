/**
 * Real reverse proxies in front of a server under test, configured by the very snippets of
 * docs/operations.md.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { findFreePort } from "./local-port.ts";
import { makeFolder } from "../apps/start-app.ts";

const run = promisify(execFile);
const docs = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");

/** The documented proxies. */
export const proxyNames = ["nginx", "haproxy", "caddy"] as const;
export type ProxyName = (typeof proxyNames)[number];

const languages: Readonly<Record<ProxyName, string>> = {
  nginx: "nginx",
  haproxy: "haproxy",
  caddy: "caddyfile",
};
const programs: Readonly<Record<ProxyName, readonly string[]>> = {
  nginx: ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"],
  haproxy: ["/usr/sbin/haproxy", "/usr/bin/haproxy", "/usr/local/bin/haproxy"],
  caddy: ["/usr/bin/caddy", "/usr/local/bin/caddy"],
};

/** How long a proxy may take to listen, in milliseconds. */
const startTimeoutMs = 20_000;

/** Returns the path of an installed proxy; `undefined` if it is not installed. */
export function findProxy(name: ProxyName): string | undefined {
  return programs[name].find((path) => existsSync(path));
}

/** Why the tests of a proxy are skipped; `false` if they are not. */
export function skipWithout(name: ProxyName): string | false {
  return findProxy(name) === undefined && `${name} is not installed`;
}

/** Returns the documented configuration of a proxy. */
export function readSnippet(name: ProxyName): string {
  const [, snippet] = new RegExp(`^\`\`\`${languages[name]}\n([^]*?)^\`\`\`$`, "m").exec(docs) ?? [];
  if (snippet === undefined) throw new Error(`docs/operations.md has no snippet for ${name}`);
  return snippet;
}

/** A running proxy. */
export interface RunningProxy {
  readonly name: ProxyName;
  /** Its version, as its command prints it. */
  readonly version: string;
  /** Its address, for clients that trust any certificate. */
  readonly url: string;
  /** Kills it and deletes its folder. */
  close(): Promise<void>;
}

/** Options of a proxy. */
export interface ProxyOptions {
  /** The port of the server under test on 127.0.0.1. */
  readonly targetPort: number;
  /** Changes to the snippet: each text must occur in it once. */
  readonly changes?: readonly (readonly [from: string, to: string])[];
}

/** Starts a proxy on a free port; resolves once it listens. */
export async function startProxy(
  name: ProxyName,
  { targetPort, changes = [] }: ProxyOptions,
): Promise<RunningProxy> {
  const program = findProxy(name);
  if (program === undefined) throw new Error(`${name} is not installed`);
  const folder = await makeFolder();
  const port = await findFreePort();
  const { key, certificate } = await makeCertificate(folder.path);
  const places: Readonly<Record<ProxyName, readonly (readonly [string, string])[]>> = {
    nginx: [
      ["listen 443", `listen 127.0.0.1:${port}`],
      ["/etc/ssl/chat.example.com.pem", certificate],
      ["/etc/ssl/chat.example.com.key", key],
    ],
    haproxy: [
      ["bind :443", `bind 127.0.0.1:${port}`],
      ["/etc/ssl/chat.example.com.pem", certificate],
    ],
    caddy: [
      ["chat.example.com {", `https://localhost:${port} {\n  bind 127.0.0.1\n  tls ${certificate} ${key}`],
    ],
  };
  const snippet = [
    ["127.0.0.1:8000", `127.0.0.1:${targetPort}`] as const,
    ...places[name],
    ...changes,
  ].reduce((text, [from, to]) => {
    if (text.split(from).length !== 2)
      throw new Error(`${JSON.stringify(from)} is not once in the snippet of ${name}`);
    return text.replace(from, () => to);
  }, readSnippet(name));
  const file = join(folder.path, name === "caddy" ? "Caddyfile" : `${name}.conf`);
  await writeFile(file, toConfiguration(name, snippet, folder.path));
  const command: Readonly<Record<ProxyName, readonly string[]>> = {
    nginx: ["-p", folder.path, "-c", file, "-e", "stderr"],
    haproxy: ["-db", "-f", file],
    caddy: ["run", "--config", file, "--adapter", "caddyfile"],
  };
  const env = {
    PATH: process.env["PATH"],
    HOME: folder.path,
    XDG_DATA_HOME: folder.path,
    XDG_CONFIG_HOME: folder.path,
  };
  const child = spawn(program, command[name], { stdio: ["ignore", "ignore", "pipe"], env });
  const stop = killAtExit(child);
  const printed: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => printed.push(chunk));
  const close = async (): Promise<void> => {
    await stop();
    await folder.remove();
  };
  try {
    await untilListening(port, child);
  } catch (error) {
    await close();
    throw new Error(`${name} did not start: ${Buffer.concat(printed).toString()}`, { cause: error });
  }
  return { name, version: await readVersion(name, program), url: `https://localhost:${port}`, close };
}

function toConfiguration(name: ProxyName, snippet: string, folder: string): string {
  switch (name) {
    case "nginx": {
      const user = process.getuid?.() === 0 ? "user root;\n" : "";
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
        (kind) => `${kind}_temp_path ${folder}/${kind};`,
      );
      return `${user}daemon off;\npid ${folder}/pid;\nworker_processes 1;\nevents {}\nhttp {\naccess_log off;\n${temporary.join("\n")}\n${snippet}}\n`;
    }
    case "haproxy":
      return snippet;
    case "caddy":
      return `{\n  admin off\n  auto_https off\n  skip_install_trust\n}\n${snippet}`;
  }
}

/** Makes a key, and a certificate for localhost followed by that key, as HAProxy wants it. */
async function makeCertificate(
  folder: string,
): Promise<{ readonly key: string; readonly certificate: string }> {
  const key = join(folder, "key.pem");
  const certificate = join(folder, "certificate.pem");
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await run("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", certificate]);
  await writeFile(certificate, `${readFileSync(certificate, "utf8")}${readFileSync(key, "utf8")}`);
  return { key, certificate };
}

/** Returns how to end a process, which also ends with this one, whatever happens. */
function killAtExit(child: ChildProcess): () => Promise<void> {
  const kill = (): void => void child.kill("SIGTERM");
  process.once("exit", kill);
  const exited = once(child, "exit");
  return async () => {
    process.removeListener("exit", kill);
    if (child.exitCode !== null || child.signalCode !== null) return;
    // nginx takes its worker along on SIGTERM only.
    child.kill("SIGTERM");
    const killing = setTimeout(() => child.kill("SIGKILL"), 2_000);
    await exited;
    clearTimeout(killing);
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  const endMs = performance.now() + startTimeoutMs;
  while (performance.now() < endMs && child.exitCode === null) {
    const socket = connect(port, "127.0.0.1");
    const isListening = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isListening === true) return;
    await wait(20);
  }
  throw new Error("nothing listens");
}

async function readVersion(name: ProxyName, program: string): Promise<string> {
  const { stdout, stderr } = await run(program, [name === "caddy" ? "version" : "-v"]);
  return /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] ?? "";
}
