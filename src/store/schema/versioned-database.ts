/** Calls a database whose schema may have another version than this server's, and follows its upgrade. */
import { toAppError, type AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import type { JsonObject } from "../../base/json.ts";
import type { PoolState } from "../../base/semaphore.ts";
import {
  schemaVersion,
  service,
  type Database,
  type FolderCopying,
  type FunctionName,
} from "../database/database.ts";
import { chooseVersion, parseSchemaRange, toSchemaMismatch, type SchemaRange } from "./schema-version.ts";

/** How often to check whether an older schema has been upgraded, in milliseconds. */
const upgradeCheckMs = 5_000;
/** The same if the key may not ask for the version: then the next call tries this server's own. */
const upgradeTryMs = 60_000;
/** How long to keep a refusal of every version before asking the database again, in milliseconds. */
const refusalMs = 1_000;
/** How often to repeat one call because the schema was replaced, at most. */
const maxRepeats = 3;

/**
 * Calls a database with a schema version it accepts. While the schema has this server's version, this adds no
 * call. If the schema is replaced while the server runs, a refused call is repeated with the new version: a
 * refused call has written nothing.
 */
export class VersionedDatabase implements Database {
  readonly #database: Database;
  readonly #clock: Clock;
  /** The version that calls use, and whether the database has accepted it. */
  #version = schemaVersion;
  #isKnown = false;
  /** Whether the key may ask for the schema's version. */
  #mayDescribe = true;
  /** When the version was last checked. */
  #checkedAtMs: number;
  #checking: Promise<SchemaRange | undefined> | undefined;
  /** The last refusal of every version. */
  #refusal: { readonly error: AppError; readonly atMs: number } | undefined;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#checkedAtMs = clock.monotonicMs();
  }

  get opened(): Promise<void> | undefined {
    return this.#database.opened;
  }

  get pool(): PoolState | undefined {
    return this.#database.pool;
  }

  get copying(): FolderCopying | undefined {
    return this.#database.copying;
  }

  get schemaVersion(): number | undefined {
    return this.#isKnown ? this.#version : undefined;
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller): Promise<unknown> {
    if (this.#isKnown && this.#version < schemaVersion) this.#lookForUpgrade();
    const refused = new Set<number>();
    for (let repeats = 0; ; repeats += 1) {
      const version = this.#version;
      try {
        const result = await this.#database.call(name, argument, caller, version);
        this.#accept(name, version, result);
        return result;
      } catch (error) {
        const trouble = toAppError(error);
        if (trouble.code !== "store_schema_mismatch" || "schema_version" in argument) throw error;
        refused.add(version);
        if (repeats === maxRepeats) throw this.#refuse(trouble);
        // Another call may have found the right version meanwhile.
        if (this.#version === version) await this.#choose(trouble, refused);
      }
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** Learns from a result: its version is accepted, and a description names the schema's own. */
  #accept(name: FunctionName, version: number, result: unknown): void {
    this.#refusal = undefined;
    if (name === "chat_describe_schema") this.#take(parseSchemaRange(result));
    else if (version === this.#version) this.#isKnown = true;
  }

  #take(range: SchemaRange): void {
    this.#checkedAtMs = this.#clock.monotonicMs();
    const version = chooseVersion(range);
    this.#isKnown = version !== undefined;
    if (version !== undefined) this.#version = version;
  }

  /** Chooses the version to continue with. @throws AppError `store_schema_mismatch` if there is none. */
  async #choose(trouble: AppError, refused: ReadonlySet<number>): Promise<void> {
    this.#isKnown = false;
    const standing = this.#refusal;
    if (standing !== undefined && this.#clock.monotonicMs() - standing.atMs < refusalMs) throw standing.error;
    const range = await this.#check().catch(() => {
      throw trouble;
    });
    // A schema's own description wins: it may have been replaced since it refused a version.
    const version = range === undefined ? chooseVersion(undefined, refused) : chooseVersion(range);
    if (version === undefined)
      throw this.#refuse(range === undefined ? trouble : toSchemaMismatch(range, trouble));
    this.#version = version;
  }

  #refuse(error: AppError): AppError {
    this.#isKnown = false;
    this.#version = schemaVersion;
    this.#refusal = { error, atMs: this.#clock.monotonicMs() };
    return error;
  }

  /** Checks in the background, once in a while, whether an older schema has been upgraded. */
  #lookForUpgrade(): void {
    const waitedMs = this.#clock.monotonicMs() - this.#checkedAtMs;
    if (!this.#mayDescribe) {
      if (waitedMs < upgradeTryMs) return;
      this.#checkedAtMs += waitedMs;
      this.#version = schemaVersion;
      return;
    }
    if (this.#checking !== undefined || waitedMs < upgradeCheckMs) return;
    void this.#check().then(
      (range) => range && this.#take(range),
      () => {}, // the next check finds out
    );
  }

  /**
   * Asks for the schema's version, one request at a time; `undefined` if the key may not.
   * @throws AppError without a result.
   */
  async #check(): Promise<SchemaRange | undefined> {
    this.#checking ??= this.#describe().finally(() => (this.#checking = undefined));
    return await this.#checking;
  }

  async #describe(): Promise<SchemaRange | undefined> {
    this.#checkedAtMs = this.#clock.monotonicMs();
    if (!this.#mayDescribe) return undefined;
    try {
      // Without a version, so that a schema which does not serve this server responds too.
      const argument = { schema_version: undefined };
      return parseSchemaRange(await this.#database.call("chat_describe_schema", argument, service));
    } catch (error) {
      const { code } = toAppError(error);
      if (code !== "store_refused") throw error;
      this.#mayDescribe = false;
      return undefined;
    }
  }
}
