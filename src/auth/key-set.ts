/**
 * The public keys of an identity provider, kept fresh with at most two requests a minute, whatever tokens
 * arrive. The last keys stay in use until newer ones arrive.
 */
import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
} from "jose";
import { z } from "zod";
import { AppError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";

/** The age at which keys are refreshed: the provider's own edge caches them as long. */
const maxAgeMs = 10 * 60_000;
/** The shortest time between two requests, whatever their outcome. */
const cooldownMs = 30_000;
const timeoutMs = 5_000;
/** The largest response, in characters. */
const maxLength = 256 * 1024;

const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

type FindKey = ReturnType<typeof createLocalJWKSet>;

/** The keys at a URL. */
export class RemoteKeySet {
  readonly #url: URL;
  readonly #clock: Clock;
  #find: FindKey | undefined;
  #fetchedAtMs = -Infinity;
  #askedAtMs = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(url: URL, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
  }

  /**
   * Resolves with the key that signed a token.
   * @throws AppError `identity_unavailable` if no keys were ever loaded; jose's errors if none of them fits.
   */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (this.#find === undefined || this.#clock.monotonicMs() - this.#fetchedAtMs > maxAgeMs)
      await this.#refresh();
    try {
      return await this.#findHere(header, token);
    } catch (error) {
      // An unknown key may be a new one.
      if (!(error instanceof errors.JWKSNoMatchingKey) || !(await this.#refresh())) throw error;
      return await this.#findHere(header, token);
    }
  }

  async #findHere(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (this.#find === undefined)
      throw new AppError("identity_unavailable", `no keys could be loaded from ${this.#url.href}`);
    return await this.#find(header, token);
  }

  /** Loads the keys, unless that was done a moment ago; resolves with whether it did. */
  async #refresh(): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#asking === undefined) {
      if (nowMs - this.#askedAtMs < cooldownMs) return false;
      this.#askedAtMs = nowMs;
      this.#asking = this.#load().finally(() => (this.#asking = undefined));
    }
    await this.#asking;
    return true;
  }

  async #load(): Promise<void> {
    try {
      const response = await fetch(this.#url, {
        redirect: "error",
        headers: { accept: "application/json" },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      if (!response.ok || text.length > maxLength) return;
      this.#find = createLocalJWKSet(KeySet.parse(JSON.parse(text)));
      this.#fetchedAtMs = this.#clock.monotonicMs();
    } catch {
      // Any earlier keys stay in use.
    }
  }
}
