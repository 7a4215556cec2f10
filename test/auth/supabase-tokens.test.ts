/** The access tokens that a real route accepts and rejects. */
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { exportSPKI, generateKeyPair, importJWK, type JWTPayload } from "jose";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startApp, type RunningApp } from "../support/apps/start-app.ts";

const secret = "a legacy secret of a project, long enough";
const userId = randomUUID();

describe("AUTH=supabase", { timeout: 60_000 }, () => {
  let provider: IdentityProvider;
  let app: RunningApp;
  const clock = new ManualClock();
  before(async () => {
    provider = await IdentityProvider.start();
    app = await start({ SUPABASE_JWT_SECRET: secret });
  });
  after(async () => {
    await app.close();
    await provider.close();
  });

  async function start(more: Record<string, string> = {}, at = clock): Promise<RunningApp> {
    return await startApp({ AUTH: "supabase", SUPABASE_URL: provider.url, ...more }, at);
  }

  /** The status of an unknown turn: 404 for an authenticated request, 401 for any other. */
  async function statusFor(authorization: string | undefined, server = app): Promise<number> {
    const headers = authorization === undefined ? {} : { authorization };
    return (await server.get(`/turns/${randomUUID()}`, headers)).status;
  }

  const good = (): JWTPayload => provider.claimsOf(userId, clock.now());
  const seconds = (): number => Math.floor(clock.now().getTime() / 1000);
  const without = (name: string): JWTPayload =>
    Object.fromEntries(Object.entries(good()).filter(([key]) => key !== name));

  const claims: readonly (readonly [token: string, status: 404 | 401, claims: () => JWTPayload])[] = [
    ["a good token", 404, good],
    [
      "a token with several audiences, ours among them",
      404,
      () => ({ ...good(), aud: ["x", "authenticated"] }),
    ],
    ["one that expired 29 s ago", 404, () => ({ ...good(), exp: seconds() - 29 })],
    ["one that expired 31 s ago", 401, () => ({ ...good(), exp: seconds() - 31 })],
    ["one without an expiry", 401, () => without("exp")],
    ["one issued 29 s from now", 404, () => ({ ...good(), iat: seconds() + 29 })],
    ["one issued 31 s from now", 401, () => ({ ...good(), iat: seconds() + 31 })],
    ["one that becomes valid in 29 s", 404, () => ({ ...good(), nbf: seconds() + 29 })],
    ["one that becomes valid in 31 s", 401, () => ({ ...good(), nbf: seconds() + 31 })],
    ["one from another issuer", 401, () => ({ ...good(), iss: "https://evil.example/auth/v1" })],
    [
      "one from an issuer that only starts like ours",
      401,
      () => ({ ...good(), iss: `${provider.issuer}/x` }),
    ],
    ["one without an issuer", 401, () => without("iss")],
    ["one for another audience", 401, () => ({ ...good(), aud: "anon" })],
    ["one without an audience", 401, () => without("aud")],
    ["one with the service role", 401, () => ({ ...good(), role: "service_role" })],
    ["one with the anonymous role", 401, () => ({ ...good(), role: "anon" })],
    ["one without a role", 401, () => without("role")],
    ["one without a subject", 401, () => without("sub")],
    ["one whose subject is not a UUID", 401, () => ({ ...good(), sub: "root" })],
    [
      "one whose times are strings",
      401,
      () => JSON.parse(JSON.stringify(good()).replace(/"exp":(\d+)/, '"exp":"$1"')),
    ],
    ["one of 10 KB", 401, () => ({ ...good(), user_metadata: "x".repeat(10_000) })],
  ];
  for (const [token, status, make] of claims) {
    test(`${status === 404 ? "accepts" : "rejects"} ${token}`, async () => {
      assert.equal(await statusFor(`Bearer ${await provider.sign(make())}`), status);
      const legacy = await provider.sign(make(), { key: Buffer.from(secret) });
      assert.equal(await statusFor(`Bearer ${legacy}`), status, "signed with the legacy secret");
    });
  }

  test("rejects every token that the project did not sign, however it is disguised", async () => {
    const token = await provider.sign(good());
    const [header = "", payload = "", signature = ""] = token.split(".");
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const [jwk] = provider.keys;
    const publicKey = await importJWK({ ...jwk });
    assert.ok(!(publicKey instanceof Uint8Array));
    const pem = await exportSPKI(publicKey);
    const stranger = await generateKeyPair("ES256", { extractable: true });
    const hmac = (key: string, kid?: string): string => {
      const head = `${encode({ alg: "HS256", ...(kid !== undefined && { kid }) })}.${payload}`;
      return `${head}.${createHmac("sha256", key).update(head).digest("base64url")}`;
    };
    const forged: readonly string[] = [
      `${encode({ alg: "none" })}.${payload}.`,
      `${encode({ alg: "None", kid: "first" })}.${payload}.`,
      `${encode({ alg: "ES256", kid: "first" })}.${payload}.`,
      `${header}.${encode({ ...good(), sub: randomUUID() })}.${signature}`,
      hmac(pem),
      hmac(` \n${pem}`),
      hmac(JSON.stringify(jwk), "first"),
      hmac(""),
      await provider.sign(good(), { key: stranger.privateKey }),
      await provider.sign(good(), { key: stranger.privateKey, header: { kid: "../../etc/passwd" } }),
      await provider.sign(good(), { key: stranger.privateKey, header: { jku: "https://evil.example/jwks" } }),
      await provider.sign(good(), { key: stranger.privateKey, header: { kid: "' or 1=1 --" } }),
      `${encode({ alg: "ES256", kid: "first", crit: ["exp2"], exp2: 1 })}.${payload}.${signature}`,
      "a.b.c",
      "not-a-token",
    ];
    for (const bad of forged) assert.equal(await statusFor(`Bearer ${bad}`), 401, bad);
    for (const bad of [undefined, "", "Basic YTpi", token, `Bearer ${token} x`, `Bearer  ${token}, Bearer x`])
      assert.equal(await statusFor(bad), 401, bad);
    assert.equal(await statusFor(`bearer ${token}`), 404);
  });

  test("rejects legacy tokens without a legacy secret", async () => {
    const bare = await start();
    const legacy = await provider.sign(good(), { key: Buffer.from(secret) });
    assert.equal(await statusFor(`Bearer ${legacy}`, bare), 401);
    await bare.close();
  });

  test("responds with 401 and a challenge, before it reads the body", async () => {
    const response = await app.post("/stream-chat", "not JSON");
    assert.deepEqual(
      [response.status, response.headers["www-authenticate"]],
      [401, 'Bearer realm="Foreword"'],
    );
    assert.equal(JSON.parse(response.body).code, "unauthenticated");
  });

  test("lets probes and preflights through", async () => {
    assert.equal((await app.get("/healthz")).status, 200);
    assert.equal((await app.get("/readyz")).status, 200);
    const headers = { origin: "http://localhost:3000", "access-control-request-method": "POST" };
    assert.equal((await app.get("/stream-chat", headers, "OPTIONS")).status, 204);
  });
});

describe("the project's keys", { timeout: 60_000 }, () => {
  let provider: IdentityProvider;
  let clock: ManualClock;
  let app: RunningApp;
  async function start(): Promise<void> {
    provider = await IdentityProvider.start();
    clock = new ManualClock();
    app = await startApp({ AUTH: "supabase", SUPABASE_URL: provider.url }, clock);
  }
  async function stop(): Promise<void> {
    await app.close();
    await provider.close();
  }
  async function status(): Promise<number> {
    const token = await provider.sign(provider.claimsOf(userId, clock.now()));
    return await statusOf(token);
  }
  async function statusOf(token: string): Promise<number> {
    return (await app.get(`/turns/${randomUUID()}`, { authorization: `Bearer ${token}` })).status;
  }

  test("are fetched once for all requests; a new key is found when it is first used", async () => {
    await start();
    assert.deepEqual(await Promise.all([status(), status(), status()]), [404, 404, 404]);
    assert.equal(provider.requests, 1);
    clock.advance(30_000);
    await provider.rotate("second", "RS256");
    assert.equal(await status(), 404);
    assert.equal(await status(), 404);
    assert.equal(provider.requests, 2);
    await stop();
  });

  test("are fetched at most twice a minute, however many tokens name unknown keys", async () => {
    await start();
    assert.equal(await status(), 404);
    const stranger = await generateKeyPair("ES256");
    for (let half = 0; half < 4; half += 1) {
      for (let index = 0; index < 50; index += 1) {
        const claims = provider.claimsOf(userId, clock.now());
        const header = { kid: `unknown ${index}` };
        assert.equal(await statusOf(await provider.sign(claims, { key: stranger.privateKey, header })), 401);
      }
      clock.advance(30_000);
    }
    assert.ok(provider.requests <= 5, `${provider.requests} requests in two minutes`);
    assert.equal(await status(), 404);
    await stop();
  });

  test("stay in use while the provider is away; without any the status is 503, not 401", async () => {
    await start();
    provider.failure = 500;
    assert.equal(await status(), 503);
    clock.advance(30_000);
    provider.failure = undefined;
    assert.equal(await status(), 404);
    for (const failure of [500, 404]) {
      provider.failure = failure;
      clock.advance(11 * 60_000);
      assert.equal(await status(), 404);
    }
    await stop();
  });

  test("are no longer accepted ten minutes after they were withdrawn", async () => {
    await start();
    const token = await provider.sign({ ...provider.claimsOf(userId, clock.now()), exp: 4_000_000_000 });
    assert.equal(await statusOf(token), 404);
    provider.keys = [];
    await provider.rotate("second");
    clock.advance(10 * 60_000 + 1);
    assert.equal(await statusOf(token), 401);
    await stop();
  });
});
