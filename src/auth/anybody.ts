/** No authentication: every request is trusted. */
import type { Authenticator, Identity } from "./identity.ts";

/** Trusts every request. Passes an access token on to stores that need one. */
export class Anybody implements Authenticator {
  async authenticate(authorization: string | undefined): Promise<Identity> {
    return { type: "anybody", accessToken: /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] };
  }
}
