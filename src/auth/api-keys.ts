/** API keys of the operator's own servers. */
import { hash, timingSafeEqual } from "node:crypto";
import { AppError } from "../base/errors.ts";
import { toBearer, type Authenticator, type Identity } from "./identity.ts";

/** A key, and the name by which settings refer to it. Keys that replace each other may share a name. */
export interface ApiKey {
  readonly name: string;
  readonly key: string;
}

/** Authenticates servers by their keys; only digests of the keys are kept. */
export class ApiKeys implements Authenticator {
  readonly #known: readonly { readonly keyName: string; readonly digest: Buffer }[];

  constructor(keys: readonly ApiKey[]) {
    this.#known = keys.map(({ name, key }) => ({ keyName: name, digest: toDigest(key) }));
  }

  async authenticate(authorization: string | undefined): Promise<Identity> {
    const key = toBearer(authorization);
    if (key === undefined) throw new AppError("unauthenticated", "no key came");
    const digest = toDigest(key);
    // All are compared, so that the time does not reveal which key matched.
    const [match] = this.#known.filter((known) => timingSafeEqual(known.digest, digest));
    if (match === undefined) throw new AppError("unauthenticated", "the key is not one of API_KEYS");
    return { type: "server", keyName: match.keyName };
  }
}

function toDigest(key: string): Buffer {
  return hash("sha256", key, "buffer");
}
