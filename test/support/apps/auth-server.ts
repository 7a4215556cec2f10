/**
 * An auth server like Supabase's (GoTrue), by its documented API: users, sessions, e-mails and one
 * provider.
 */
import { createHash, randomBytes, randomInt, randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";

/** A user of the project. */
interface ProjectUser {
  readonly id: string;
  readonly email: string;
  password: string | undefined;
  isConfirmed: boolean;
}

/** An e-mail, as its receiver sees it. */
interface Mail {
  readonly email: string;
  readonly code: string;
  readonly link: string;
}

/** A sign-in that goes on in a browser: by PKCE, its code counts only there. */
interface Flow {
  readonly email: string;
  readonly challenge: string | undefined;
}

const Body = z.object({
  email: z.string().optional(),
  password: z.string().optional(),
  token: z.string().optional(),
  type: z.string().optional(),
  refresh_token: z.string().optional(),
  auth_code: z.string().optional(),
  code_verifier: z.string().optional(),
  code_challenge: z.string().nullish(),
  create_user: z.boolean().optional(),
});

/** A request that has been read. */
interface AuthRequest {
  readonly query: URLSearchParams;
  readonly body: z.infer<typeof Body>;
  readonly token: string | undefined;
}

/** A response: JSON, or the address that the browser is sent to. */
type AuthResponse = { readonly status: number; readonly body: object } | { readonly location: string };

/** The auth server of a project; tests change its fields. */
export class AuthServer {
  /** Signs access tokens; set once the project runs. */
  sign: (userId: string, claims: object) => string = () => "";
  /** The address of this server for browsers. */
  url = "";
  anonKey = "";
  /** How long access tokens last, in seconds. */
  tokenSeconds = 3_600;
  settings = { external: { email: true, github: false, phone: false }, disable_signup: false };
  /** Whether new addresses count without being confirmed. */
  isAutoConfirming = true;
  /** The fault of all responses: an error of the project, or no response at all. */
  fault: { readonly status: number; readonly code: string } | "away" | undefined;
  /** The provider's user who signs in next; `undefined` if they refuse. */
  providerEmail: string | undefined;
  readonly mails: Mail[] = [];
  /** The number of token refreshes. */
  refreshes = 0;
  /** The paths of requests. */
  readonly requests: string[] = [];
  readonly #users = new Map<string, ProjectUser>();
  readonly #refreshTokens = new Map<string, ProjectUser>();
  readonly #accessTokens = new Map<string, ProjectUser>();
  readonly #codes = new Map<string, Flow>();
  readonly #links = new Map<string, Flow>();

  /** Adds a user with a password. */
  addUser(email: string, password: string | undefined): ProjectUser {
    const user = { id: randomUUID(), email, password, isConfirmed: true };
    this.#users.set(email, user);
    return user;
  }

  /** Ends all sessions: their tokens are refreshed no more. */
  endSessions(): void {
    this.#refreshTokens.clear();
  }

  /** Whether any session can be refreshed. */
  get hasSessions(): boolean {
    return this.#refreshTokens.size > 0;
  }

  /** Responds to requests below `/auth/v1`. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.fault === "away") {
      request.destroy();
      return;
    }
    const { pathname, searchParams: query } = new URL(request.url ?? "", this.url);
    const path = pathname.replace("/auth/v1", "");
    if (request.method === "OPTIONS") {
      response.writeHead(204, corsHeaders).end();
      return;
    }
    this.requests.push(`${request.method} ${path}`);
    const json = await text(request);
    const body = Body.parse(json === "" ? {} : JSON.parse(json));
    const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization ?? "") ?? [];
    const isNavigation = request.headers["sec-fetch-mode"] === "navigate";
    const result =
      isNavigation || request.headers["apikey"] === this.anonKey
        ? this.#respond(`${request.method} ${path}`, { query, body, token })
        : fail(401, "no_authorization");
    if ("location" in result) response.writeHead(302, { location: result.location }).end();
    else
      response
        .writeHead(result.status, { ...corsHeaders, "content-type": "application/json" })
        .end(result.status === 204 ? undefined : JSON.stringify(result.body));
  }

  #respond(operation: string, request: AuthRequest): AuthResponse {
    const { fault } = this;
    if (fault !== undefined && fault !== "away") return fail(fault.status, fault.code);
    const { query, body, token } = request;
    switch (operation) {
      case "GET /settings":
        return { status: 200, body: this.settings };
      case "POST /token":
        return this.#exchange(query.get("grant_type"), body);
      case "POST /signup":
        return this.#signUp(request);
      case "POST /otp":
        return this.#sendOtp(request);
      case "POST /recover":
        return this.#users.has(body.email ?? "") ? this.#sendMail(request) : { status: 200, body: {} };
      case "POST /verify":
        return this.#verify(body);
      case "GET /verify":
        return this.#followLink(query);
      case "GET /authorize":
        return this.#authorize(query);
      case "PUT /user":
        return this.#changeUser(body, token);
      case "POST /logout":
        return this.#logOut(token);
      default:
        return fail(404, "not_found");
    }
  }

  #exchange(grant: string | null, body: AuthRequest["body"]): AuthResponse {
    if (grant === "password") {
      const user = this.#users.get(body.email ?? "");
      if (user === undefined || user.password !== body.password) return fail(400, "invalid_credentials");
      return user.isConfirmed ? this.#begin(user) : fail(400, "email_not_confirmed");
    }
    if (grant === "refresh_token") {
      this.refreshes += 1;
      const user = this.#refreshTokens.get(body.refresh_token ?? "");
      if (user === undefined) return fail(400, "refresh_token_not_found");
      this.#refreshTokens.delete(body.refresh_token ?? "");
      return this.#begin(user);
    }
    const flow = this.#codes.get(body.auth_code ?? "");
    if (flow === undefined) return fail(404, "flow_state_not_found");
    this.#codes.delete(body.auth_code ?? "");
    const challenge = createHash("sha256")
      .update(body.code_verifier ?? "")
      .digest("base64url");
    return challenge === flow.challenge
      ? this.#begin(this.#find(flow.email))
      : fail(400, "bad_code_verifier");
  }

  #begin(user: ProjectUser): AuthResponse {
    user.isConfirmed = true;
    const seconds = Math.floor(Date.now() / 1_000);
    const claims = { email: user.email, exp: seconds + this.tokenSeconds, session_id: randomUUID() };
    const token = this.sign(user.id, claims);
    const refresh = randomBytes(9).toString("base64url");
    this.#refreshTokens.set(refresh, user);
    this.#accessTokens.set(token, user);
    return {
      status: 200,
      body: {
        access_token: token,
        refresh_token: refresh,
        token_type: "bearer",
        expires_in: this.tokenSeconds,
        expires_at: seconds + this.tokenSeconds,
        user: toPublic(user),
      },
    };
  }

  #signUp(request: AuthRequest): AuthResponse {
    const { email = "", password = "" } = request.body;
    if (this.settings.disable_signup) return fail(422, "signup_disabled");
    if (password.length < 6) return fail(422, "weak_password");
    if (this.#users.has(email)) return fail(422, "user_already_exists");
    const user = this.addUser(email, password);
    if (this.isAutoConfirming) return this.#begin(user);
    user.isConfirmed = false;
    this.#sendMail(request);
    return { status: 200, body: toPublic(user) };
  }

  #sendOtp(request: AuthRequest): AuthResponse {
    const { email = "", create_user: mayCreate = true } = request.body;
    if (!this.#users.has(email) && (!mayCreate || this.settings.disable_signup))
      return fail(422, "otp_disabled");
    if (!this.#users.has(email)) this.addUser(email, undefined);
    return this.#sendMail(request);
  }

  #sendMail({ body, query }: AuthRequest): AuthResponse {
    const code = String(randomInt(100_000, 1_000_000));
    const token = randomBytes(9).toString("base64url");
    const flow = { email: body.email ?? "", challenge: body.code_challenge ?? undefined };
    const link = new URL(`${this.url}/auth/v1/verify`);
    link.search = String(
      new URLSearchParams({ token, type: "magiclink", redirect_to: query.get("redirect_to") ?? "" }),
    );
    for (const secret of [token, code]) this.#links.set(secret, flow);
    this.mails.push({ email: flow.email, code, link: link.href });
    return { status: 200, body: {} };
  }

  #verify({ email, token = "" }: AuthRequest["body"]): AuthResponse {
    const flow = this.#links.get(token);
    if (flow === undefined || flow.email !== email) return fail(403, "otp_expired");
    this.#links.delete(token);
    return this.#begin(this.#find(flow.email));
  }

  #followLink(query: URLSearchParams): AuthResponse {
    const flow = this.#links.get(query.get("token") ?? "");
    this.#links.delete(query.get("token") ?? "");
    if (flow === undefined) return toPage(query, { error: "access_denied", error_code: "otp_expired" });
    return toPage(query, { code: this.#createCode(flow) });
  }

  #authorize(query: URLSearchParams): AuthResponse {
    if (this.providerEmail === undefined)
      return toPage(query, { error: "access_denied", error_description: "The user denied the request" });
    if (!this.#users.has(this.providerEmail)) this.addUser(this.providerEmail, undefined);
    const challenge = query.get("code_challenge") ?? undefined;
    return toPage(query, { code: this.#createCode({ email: this.providerEmail, challenge }) });
  }

  #createCode(flow: Flow): string {
    const code = randomUUID();
    this.#codes.set(code, flow);
    return code;
  }

  #changeUser({ password }: AuthRequest["body"], token: string | undefined): AuthResponse {
    const user = this.#accessTokens.get(token ?? "");
    if (user === undefined) return fail(403, "bad_jwt");
    if (password === user.password) return fail(422, "same_password");
    user.password = password;
    return { status: 200, body: toPublic(user) };
  }

  #logOut(token: string | undefined): AuthResponse {
    const user = this.#accessTokens.get(token ?? "");
    if (user === undefined) return fail(403, "bad_jwt");
    for (const [refresh, owner] of this.#refreshTokens)
      if (owner === user) this.#refreshTokens.delete(refresh);
    return { status: 204, body: {} };
  }

  #find(email: string): ProjectUser {
    return this.#users.get(email) ?? this.addUser(email, undefined);
  }
}

const corsHeaders = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST, PUT, DELETE",
  "access-control-allow-headers":
    "apikey, authorization, content-type, x-client-info, x-supabase-api-version",
  "access-control-expose-headers": "x-supabase-api-version",
  "x-supabase-api-version": "2024-01-01",
};

function fail(status: number, code: string): AuthResponse {
  return { status, body: { code, message: code } };
}

function toPage(query: URLSearchParams, parameters: Readonly<Record<string, string>>): AuthResponse {
  const url = new URL(query.get("redirect_to") ?? "");
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  if ("error" in parameters) url.hash = String(new URLSearchParams(parameters)); // GoTrue tells it twice
  return { location: url.href };
}

function toPublic({ id, email }: ProjectUser): object {
  const identities = [{ id, identity_id: id, provider: "email", user_id: id }];
  return { id, email, aud: "authenticated", app_metadata: {}, user_metadata: {}, identities, created_at: "" };
}
