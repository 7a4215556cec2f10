/** Owns the absence of authentication: whoever can reach the server is believed. */
import type { Authenticator, Identity } from "./identity.ts";

/** Believes everybody. An access token is taken along for a store that asks for it. */
export class Anybody implements Authenticator {
  async authenticate(authorization: string | undefined): Promise<Identity> {
    return { type: "anybody", accessToken: /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] };
  }
}
