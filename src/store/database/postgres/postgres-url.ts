/**
 * The TLS settings in `DATABASE_URL`, as libpq reads them:
 * https://www.postgresql.org/docs/current/libpq-ssl.html
 */
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Client, type ClientConfig } from "pg";
import { AppError } from "../../../base/errors.ts";
import { offersTls } from "./postgres-socket.ts";

/** TLS parameters of a URL. None is passed to `pg`, which reads some of them differently. */
const tlsParameters = [
  "ssl",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "sslpassword",
  "uselibpqcompat",
] as const;

const unchecked: ConnectionOptions = { rejectUnauthorized: false };
const withoutName: ConnectionOptions = { checkServerIdentity: () => undefined };

/** How to connect. `mayBePlain`: use TLS only if the server offers it (`sslmode=prefer` or `allow`). */
export interface ConnectionSettings {
  readonly config: ClientConfig;
  readonly mayBePlain: boolean;
}

/**
 * Returns how to connect to `url`.
 * - `disable`: without TLS; so is a URL that says nothing, unless `authorities` are given: then as
 *   `verify-full`.
 * - `allow`, `prefer`: with TLS if the server offers it, unchecked.
 * - `require`, `no-verify`: with TLS, unchecked; with authorities, `require` is `verify-ca`, as in libpq.
 * - `verify-ca`: the certificate must come from one of the authorities (default: those that Node knows).
 * - `verify-full`, `ssl=true`: it must also name the host.
 * @param authorities PEM, or the path of a file of PEM; without them `sslrootcert` of the URL counts.
 * @throws AppError `store_unavailable` for an unknown mode, or a file that cannot be read.
 */
export function toConnectionSettings(url: string, authorities?: string): ConnectionSettings {
  const parsed = new URL(url);
  const given = Object.fromEntries(tlsParameters.map((name) => [name, parsed.searchParams.get(name) ?? ""]));
  for (const name of tlsParameters) parsed.searchParams.delete(name);
  const rootFile = given["sslrootcert"] ?? "";
  const ca = toAuthorities(authorities ?? (rootFile === "system" ? "" : rootFile));
  const mode = given["sslmode"] || toImpliedMode(given["ssl"] ?? "", rootFile, ca);
  const identity: ConnectionOptions = {
    ...(ca !== undefined && { ca }),
    ...(given["sslcert"] && { cert: readPem(given["sslcert"]) }),
    ...(given["sslkey"] && { key: readPem(given["sslkey"]) }),
    ...(given["sslpassword"] && { passphrase: given["sslpassword"] }),
  };
  const ssl = toTls(mode, identity);
  return {
    config: { connectionString: parsed.href, ...(ssl !== undefined && { ssl }) },
    mayBePlain: mode === "prefer" || mode === "allow",
  };
}

/** Returns the PEM in `text`, or in the file it names; `undefined` for an empty text. @throws AppError. */
function toAuthorities(text: string): string | undefined {
  if (text.trim() === "") return undefined;
  const pem = text.includes("-----BEGIN") ? text.replaceAll("\\n", "\n") : readPem(text);
  if (!pem.includes("-----BEGIN CERTIFICATE-----"))
    throw new AppError("store_unavailable", "DATABASE_CA holds no certificate in PEM form");
  return pem;
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("store_unavailable", `the certificate for the database cannot be read: ${reason}`, {
      cause,
    });
  }
}

/** The mode for a URL without `sslmode`: as libpq's other parameters imply; else empty, for `PGSSLMODE`. */
function toImpliedMode(flag: string, rootFile: string, ca: string | undefined): string {
  if (flag === "true" || flag === "1" || rootFile === "system" || ca !== undefined) return "verify-full";
  return flag === "false" || flag === "0" ? "disable" : "";
}

function toTls(mode: string, identity: ConnectionOptions): ClientConfig["ssl"] {
  switch (mode) {
    case "":
      return undefined;
    case "disable":
      return false;
    case "allow":
    case "prefer":
    case "no-verify":
      return { ...identity, ...unchecked };
    case "require":
      return { ...identity, ...(identity.ca === undefined ? unchecked : withoutName) };
    case "verify-ca":
      return { ...identity, ...withoutName };
    case "verify-full":
      return identity;
  }
  throw new AppError(
    "store_unavailable",
    `DATABASE_URL has sslmode=${mode}; it must be disable, allow, prefer, require, verify-ca or verify-full`,
  );
}

/**
 * Resolves with the configuration for `pg`; asks the server whether it offers TLS if that matters. Rejects if
 * there is no response.
 */
export async function toClientConfig({ config, mayBePlain }: ConnectionSettings): Promise<ClientConfig> {
  if (!mayBePlain) return config;
  const { host, port } = new Client(config);
  return (await offersTls(host, port)) ? config : { ...config, ssl: false };
}
