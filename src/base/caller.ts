/** The user on whose behalf a request is made. */

/** The user on whose behalf a request is made. */
export interface Caller {
  readonly userId: string | undefined;
  /** The access token of the request, for a store that uses it. */
  readonly accessToken: string | undefined;
}
