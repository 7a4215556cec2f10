/** An identity provider like Supabase's: it signs tokens, and publishes their keys over real HTTP. */
import { createServer } from "node:http";
import { once } from "node:events";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from "jose";
import { closeServer } from "../network/local-port.ts";

/** A token's header and its signing key. */
export interface TokenOptions {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: CryptoKey | Uint8Array;
}

/** A provider whose keys can be rotated, and whose URL can fail. */
export class IdentityProvider {
  readonly url: string;
  /** The number of requests for its keys. */
  requests = 0;
  /** The status of responses for the keys if they fail; with 0 there is no response. */
  failure: number | undefined;
  /** The published keys. */
  keys: JWK[] = [];
  readonly #server;
  #kid = "";
  #privateKey: CryptoKey | undefined;

  private constructor(server: ReturnType<typeof createServer>, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** Starts one on a free port, with one key; close it with {@link close}. */
  static async start(): Promise<IdentityProvider> {
    let provider: IdentityProvider | undefined;
    const server = createServer((request, response) => {
      if (provider === undefined || request.url !== "/auth/v1/.well-known/jwks.json") {
        response.writeHead(404).end();
        return;
      }
      provider.requests += 1;
      if (provider.failure === 0) return;
      response.writeHead(provider.failure ?? 200, { "content-type": "application/json" });
      response.end(JSON.stringify({ keys: provider.keys }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    provider = new IdentityProvider(server, `http://127.0.0.1:${address.port}`);
    await provider.rotate("first");
    return provider;
  }

  get issuer(): string {
    return `${this.url}/auth/v1`;
  }

  /** Creates a key, publishes it beside the old ones, and signs with it from now on. */
  async rotate(kid: string, algorithm: "ES256" | "RS256" = "ES256"): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    this.keys = [...this.keys, { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" }];
    this.#kid = kid;
    this.#privateKey = privateKey;
  }

  /** The claims of a valid token of `userId` at `now`. */
  claimsOf(userId: string, now: Date): JWTPayload {
    const seconds = Math.floor(now.getTime() / 1000);
    return {
      iss: this.issuer,
      aud: "authenticated",
      role: "authenticated",
      sub: userId,
      iat: seconds,
      exp: seconds + 3600,
    };
  }

  /** Returns a signed token. */
  async sign(
    claims: JWTPayload,
    { header = {}, key = this.#privateKey }: TokenOptions = {},
  ): Promise<string> {
    if (key === undefined) throw new Error("there is no key");
    const alg = key instanceof Uint8Array ? "HS256" : this.keys.at(-1)?.alg;
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: alg ?? "ES256", kid: this.#kid, ...header })
      .sign(key);
  }

  async close(): Promise<void> {
    await closeServer(this.#server);
  }
}
