/** Owns who a request is from: what a way of authentication finds out, and whose rows it may therefore ask for. */
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";

/** Who a request is from. */
export type Identity =
  /** Nobody is asked: the request itself says whose rows it means. */
  | { readonly type: "anybody"; readonly accessToken: string | undefined }
  /** A user, proved by an access token. */
  | { readonly type: "user"; readonly userId: string; readonly accessToken: string }
  /** A server of the operator's, proved by a key: it speaks for any user. */
  | { readonly type: "server" };

/** A way to find out who a request is from. */
export interface Authenticator {
  /**
   * Resolves with who sent the header `Authorization`.
   * @throws AppError `unauthenticated`, or `identity_unavailable` where the keys to check it by cannot be had.
   */
  authenticate(authorization: string | undefined): Promise<Identity>;
}

/** The longest `Authorization` that is looked at, in characters. */
const maxHeaderLength = 8 * 1024;

/**
 * Returns the credential of a bearer header; `undefined` where there is no header.
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

/** Whether it was proved who a request is from: only then is anything somebody else's. */
export function isKnown({ type }: Identity): boolean {
  return type !== "anybody";
}

/**
 * Returns on whose behalf the store is asked, where a request names `userId`, or nobody.
 * @throws AppError `user_mismatch` for a user that names another.
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
