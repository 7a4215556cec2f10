/** A connection to Postgres that knows whether its session accepts writes. */
import { Client, type ClientConfig } from "pg";
import { z } from "zod";

/** What a server reports about a new session: https://www.postgresql.org/docs/current/protocol-flow.html */
const ParameterStatus = z.object({ parameterName: z.string(), parameterValue: z.string() });
const readOnlyParameters: ReadonlySet<string> = new Set(["default_transaction_read_only", "in_hot_standby"]);

/** A client that listens to what its server reports about the session. */
export class SessionClient extends Client {
  readonly #reported = new Map<string, string>();

  constructor(config?: string | ClientConfig) {
    super(config);
    this.connection.on("parameterStatus", (message: unknown) => {
      const { parameterName, parameterValue } = ParameterStatus.parse(message);
      if (readOnlyParameters.has(parameterName)) this.#reported.set(parameterName, parameterValue);
    });
  }

  /** Whether the server has said that the session accepts writes; a pooler may not report that. */
  get isWritable(): boolean {
    return this.#reported.size > 0 && [...this.#reported.values()].every((value) => value === "off");
  }
}
