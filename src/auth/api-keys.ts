/** API keys of the operator's own servers. */
import { hash, timingSafeEqual } from "node:crypto";
import { AppError } from "../base/errors.ts";
import { toBearer, type Authenticator, type Identity } from "./identity.ts";

/** Authenticates servers by their keys; only digests of the keys are kept. */
export class ApiKeys implements Authenticator {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(toDigest);
  }

  async authenticate(authorization: string | undefined): Promise<Identity> {
    const key = toBearer(authorization);
    if (key === undefined) throw new AppError("unauthenticated", "no key came");
    const digest = toDigest(key);
    // All are compared, so that the time does not reveal which key matched.
    const matches = this.#digests.filter((known) => timingSafeEqual(known, digest));
    if (matches.length === 0) throw new AppError("unauthenticated", "the key is not one of API_KEYS");
    return { type: "server" };
  }
}

function toDigest(key: string): Buffer {
  return hash("sha256", key, "buffer");
}
