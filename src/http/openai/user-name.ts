/** The user whom OpenAI's clients name in the body of a request. */
import { z } from "zod";
import { toCaller, type Identity } from "../../auth/identity.ts";
import type { Caller } from "../../base/caller.ts";
import { toNamedUser, UserQuery, Uuid } from "../request-fields.ts";

/** The field `user`. */
export const UserName = z
  .string()
  .optional()
  .describe("The user whose data this is: a UUID, or any other name, which always means the same user.");

/** The user in a query, by id or by name: for requests whose body names none. */
export const NamedUserQuery = UserQuery.extend({ user: UserName });

/** Returns the caller of a request whose query names a user. @throws AppError `user_mismatch`. */
export function toQueryCaller(identity: Identity, { userId, user }: z.output<typeof NamedUserQuery>): Caller {
  return userId ? toCaller(identity, userId) : toNamedCaller(identity, user);
}

/** Returns the caller of a request whose body names `user`. @throws AppError `user_mismatch`. */
export function toNamedCaller(identity: Identity, user: string | undefined): Caller {
  // An access token names the user already. Beside it, any other name is the client's own.
  const isOwnName = identity.type === "user" && !Uuid.safeParse(user).success;
  return toCaller(identity, isOwnName ? undefined : toNamedUser(user));
}
