/** The limits of users and API keys, as clients are told. */

/** A limit that a request has reached. */
export interface SpentLimit {
  readonly name: string;
  /** The amount allowed in a window. */
  readonly quota: number;
  /** The unit of `quota`; absent for requests, and for counts that the name tells. */
  readonly unit?: string;
  /** The length of the window in milliseconds; `undefined` for a limit on concurrency. */
  readonly windowMs: number | undefined;
}
