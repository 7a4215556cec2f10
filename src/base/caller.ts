/** The sender of a request. */

/** The sender of a request. */
export interface Caller {
  readonly userId: string | undefined;
  /** The access token the request came with, for a store that asks for it. */
  readonly accessToken: string | undefined;
}
