/** JSON values. */

/** A JSON value; members that are `undefined` are left out. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}
