/** Verifies Supabase access tokens: signed by the project, for a signed-in user, not expired. */
import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from "jose";
import { z } from "zod";
import { AppError, toAppError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import { toBearer, type Authenticator, type Identity } from "./identity.ts";
import { RemoteKeySet } from "./key-set.ts";

/** The largest difference between the clocks of issuer and server, in seconds. */
const toleranceSeconds = 30;
const role = "authenticated";

/** The project whose tokens are accepted. */
export interface SupabaseTokenOptions {
  /** The project's URL: `/auth/v1` below it is the issuer, and serves the public keys. */
  readonly url: string;
  /** The legacy secret that signs HS256 tokens, if the project has one. */
  readonly jwtSecret: string | undefined;
}

const Claims = z.object({
  sub: z.guid(),
  role: z.literal(role),
  iat: z.number().optional(),
});

/** Authenticates users by their access tokens. */
export class SupabaseTokens implements Authenticator {
  readonly #issuer: string;
  readonly #secret: Uint8Array | undefined;
  readonly #keys: RemoteKeySet;
  readonly #clock: Clock;

  constructor({ url, jwtSecret }: SupabaseTokenOptions, clock: Clock) {
    this.#issuer = new URL("/auth/v1", url).href;
    this.#secret = jwtSecret === undefined ? undefined : Buffer.from(jwtSecret);
    this.#keys = new RemoteKeySet(new URL(`${this.#issuer}/.well-known/jwks.json`), clock);
    this.#clock = clock;
  }

  async authenticate(authorization: string | undefined): Promise<Identity> {
    const accessToken = toBearer(authorization);
    if (accessToken === undefined) throw new AppError("unauthenticated", "no access token came");
    try {
      const claims = Claims.parse(await this.#verify(accessToken));
      const nowSeconds = this.#clock.now().getTime() / 1000;
      if ((claims.iat ?? 0) > nowSeconds + toleranceSeconds)
        throw new AppError("unauthenticated", "the token is of the future");
      return { type: "user", userId: claims.sub.toLowerCase(), accessToken };
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      if (cause instanceof errors.JWTExpired)
        throw new AppError("unauthenticated", "the token has expired", {
          cause,
          detail: "The access token has expired.",
        });
      if (cause instanceof errors.JOSEError || cause instanceof z.ZodError || cause instanceof TypeError)
        throw new AppError("unauthenticated", `the token is not valid: ${cause.message}`, { cause });
      throw toAppError(cause);
    }
  }

  /** The algorithm selects the kind of key; a key is never used with another algorithm. */
  async #verify(token: string): Promise<JWTPayload> {
    const { alg } = decodeProtectedHeader(token);
    const options = {
      issuer: this.#issuer,
      audience: role,
      requiredClaims: ["exp", "sub"],
      clockTolerance: toleranceSeconds,
      currentDate: this.#clock.now(),
    };
    if (alg === "HS256" && this.#secret !== undefined)
      return (await jwtVerify(token, this.#secret, { ...options, algorithms: ["HS256"] })).payload;
    const find = this.#keys.find.bind(this.#keys);
    return (await jwtVerify(token, find, { ...options, algorithms: ["ES256", "RS256"] })).payload;
  }
}
