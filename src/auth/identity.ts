/** The identity behind a request, and the caller whose rows it may use. */
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";

/** The sender of a request. */
export type Identity =
  /** Not authenticated: the request itself names the user. */
  | { readonly type: "anybody"; readonly accessToken: string | undefined }
  /** A user, proved by an access token. */
  | { readonly type: "user"; readonly userId: string; readonly accessToken: string }
  /** One of the operator's servers, proved by a key: it acts for any user. */
  | { readonly type: "server"; /** The name of the key. */ readonly keyName: string };

/** A method of authentication. */
export interface Authenticator {
  /**
   * Resolves with the sender of a request with this `Authorization` header.
   * @throws AppError `unauthenticated`, or `identity_unavailable` if the keys to verify it are not available.
   */
  authenticate(authorization: string | undefined): Promise<Identity>;
}

/** The longest `Authorization` header that is accepted, in characters. */
const maxHeaderLength = 8 * 1024;

/**
 * Returns the credential of a bearer header; `undefined` without a header.
 * @throws AppError `unauthenticated` for any other scheme.
 */
export function toBearer(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  const token =
    authorization.length > maxHeaderLength
      ? undefined
      : /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
  if (token === undefined) throw new AppError("unauthenticated", "Authorization is not a bearer token");
  return token;
}

/** Whether the sender was authenticated; only then do rows belong to users. */
export function isKnown({ type }: Identity): boolean {
  return type !== "anybody";
}

/**
 * Returns the caller for whom the store is used, if the request names `userId`.
 * @throws AppError `user_mismatch` for a user who names another.
 */
export function toCaller(identity: Identity, userId: string | null | undefined): Caller {
  switch (identity.type) {
    case "anybody":
      return { userId: userId || undefined, accessToken: identity.accessToken };
    case "server":
      return { userId: userId || undefined, accessToken: undefined };
    case "user":
      if (userId && userId !== identity.userId)
        throw new AppError("user_mismatch", `${identity.userId} names ${userId}`, { field: "userId" });
      return { userId: identity.userId, accessToken: identity.accessToken };
  }
}
