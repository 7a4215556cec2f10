/**
 * The host names that a server without authentication answers to. A web page can point its own host name at a
 * loopback address (DNS rebinding) to share the server's origin, but its name stays in `Host`.
 */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { AppError } from "../../base/errors.ts";

/** The host names of a server. */
export interface HostOptions {
  /** The name or address that the server listens on. */
  readonly host: string;
  /**
   * Other names, like `chat.example.com`, `chat.example.com:8443`, `*.example.com`, `10.0.0.7` or
   * `[fd00::7]`.
   */
  readonly allowedHosts: readonly string[];
}

/** A name without a trailing dot, or an address without brackets, in lower case, and its port, if any. */
interface Host {
  readonly name: string;
  readonly port: string | undefined;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

const wildcardAddresses: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
/** How much of a `Host` an error message or the log repeats, in characters. */
const maxShownLength = 255;

/** The authorities of requests in absolute form, like `GET http://localhost/healthz`. */
const authorities = new WeakMap<IncomingMessage, string>();

/**
 * Returns the path and query of a request's target. An absolute target's authority is checked like `Host`.
 */
export function toPath(request: IncomingMessage): string {
  const { url = "/" } = request;
  const { authority, path = "" } = /^https?:\/\/(?<authority>[^/?#]*)(?<path>.*)$/is.exec(url)?.groups ?? {};
  if (authority === undefined) return url;
  authorities.set(request, authority);
  return path.startsWith("/") ? path : `/${path}`;
}

/** Returns the host that a request names: the authority of an absolute target, else `Host`. */
export function hostOf(request: IncomingMessage): string | undefined {
  return authorities.get(request) ?? request.headers.host;
}

/** Returns the name and port in a `Host`; `undefined` if it is malformed. */
export function parseHost(text: string): Host | undefined {
  const match = /^(?:\[(?<address>[\da-f:.]{2,45})\]|(?<name>[\w.-]{1,254}))(?::(?<port>\d{0,5}))?$/i.exec(
    text,
  );
  const { address, name = "", port } = match?.groups ?? {};
  if (match === null || (address !== undefined && isIP(address) !== 6)) return undefined;
  return { name: (address ?? name).toLowerCase().replace(/(?<=.)\.$/, ""), port: port || undefined };
}

/** Whether `name` is one of this machine's loopback names or addresses. */
function isLoopback(name: string): boolean {
  const version = isIP(name);
  return version === 0 ? name === "localhost" : loopback.check(name, version === 4 ? "ipv4" : "ipv6");
}

/** Checks host names. `undefined` options allow every well-formed name. */
export class HostRules {
  readonly #own: string | undefined;
  readonly #allowsAddresses: boolean;
  readonly #exact: readonly Host[];
  /** Names that are allowed with one more label in front. */
  readonly #parents: readonly Host[];
  readonly #isOn: boolean;

  constructor(options: HostOptions | undefined) {
    const { host = "", allowedHosts = [] } = options ?? {};
    this.#isOn = options !== undefined;
    const own = parseHost(isIP(host) === 6 ? `[${host}]` : host)?.name;
    this.#own = own === undefined || wildcardAddresses.has(own) ? undefined : own;
    // No page can make an address its own name. A server on loopback has no other address.
    this.#allowsAddresses = own !== undefined && !isLoopback(own);
    const [parents, exact] = [true, false].map((isParent) =>
      allowedHosts
        .filter((allowed) => allowed.startsWith("*.") === isParent)
        .flatMap((allowed) => parseHost(allowed.replace(/^\*\./, "")) ?? []),
    );
    this.#parents = parents ?? [];
    this.#exact = exact ?? [];
  }

  /**
   * Returns the error for `request`, `invalid_request` or `host_not_allowed`; `undefined` if it is allowed.
   */
  findRefusal(request: IncomingMessage): AppError | undefined {
    const { rawHeaders, headers, httpVersionMinor } = request;
    const count = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;
    if (count > 1 || (count === 0 && httpVersionMinor > 0)) {
      const detail = "The request must have exactly one Host header.";
      return new AppError("invalid_request", `${count} Host headers`, { detail });
    }
    if (!this.#isOn) return undefined;
    const named = [headers.host, authorities.get(request)].filter((host) => host !== undefined);
    const wrong = named.find((host) => !this.#allows(host));
    if (wrong === undefined) return undefined;
    return new AppError("host_not_allowed", `Host is ${JSON.stringify(wrong.slice(0, maxShownLength))}`);
  }

  #allows(text: string): boolean {
    const host = parseHost(text);
    if (host === undefined) return false;
    const { name, port } = host;
    if (isLoopback(name) || name === this.#own) return true;
    if (this.#allowsAddresses && isIP(name) !== 0 && !wildcardAddresses.has(name)) return true;
    const parent = name.replace(/^[^.]+\./, "");
    const hasPort = (allowed: Host): boolean => allowed.port === undefined || allowed.port === (port ?? "");
    return (
      this.#exact.some((allowed) => allowed.name === name && hasPort(allowed)) ||
      (isIP(name) === 0 && this.#parents.some((allowed) => allowed.name === parent && hasPort(allowed)))
    );
  }
}
