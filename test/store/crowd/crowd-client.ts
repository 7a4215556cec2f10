/** The requests of one user of a crowd; every byte of every response is searched for other users' data. */
import assert from "node:assert/strict";
import { request, type Agent, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { z } from "zod";

const Problem = z.object({ code: z.string() });
const idPattern = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;
const markPattern = /mark(\d+)x/g;

/** The number of rows without an owner. */
export const nobody = 0;

/** Returns the word in every text of a user; users are numbered from 1. */
export function toMark(user: number): string {
  return `mark${user}x`;
}

/** Returns the users whose marks are in `text`. */
export function findMarks(text: string): Set<number> {
  return new Set(Array.from(text.matchAll(markPattern), ([, user]) => Number(user)));
}

/** Counts the outcomes of a crowd's calls by name. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.counts.set(name, this.get(name) + count);
  }

  get(name: string): number {
    return this.counts.get(name) ?? 0;
  }
}

/** The owner of each id. */
export class Owners {
  readonly #owners = new Map<string, number>();

  /** Records that `id` belongs to `user`; it must not belong to another. */
  claim(id: string, user: number): void {
    const owner = this.#owners.get(id) ?? user;
    assert.equal(owner, user, `${id} belongs to two`);
    this.#owners.set(id, user);
  }

  /**
   * Checks that `text`, a response to `user`, holds no other user's data, except ids that the user `sent`.
   */
  check(text: string, user: number, sent: string): void {
    for (const owner of findMarks(text)) assert.equal(owner, user, `user ${user} reads: ${text}`);
    for (const [id] of text.matchAll(idPattern)) {
      const owner = this.#owners.get(id) ?? user;
      assert.ok(owner === user || sent.includes(id), `user ${user} reads an id of ${owner}: ${text}`);
    }
  }
}

/** A complete response. */
export interface Heard {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Whether it reads a turn of unknown outcome: one whose begin gave a 503 may be in the rows, and ends as
   * interrupted when recovery finds it.
   */
  readonly mayBeInterrupted?: boolean;
  /** When its client leaves, in milliseconds; it stays if `undefined`. */
  readonly leavesAfterMs?: number | undefined;
}

/** Shared by the clients of a crowd. */
export interface CrowdOptions {
  readonly url: string;
  readonly agent: Agent;
  readonly owners: Owners;
  readonly tally: Tally;
  /** Called at each request. */
  readonly onCall: () => void;
  /** Queries the database beside the server, if that is possible. */
  readonly sql?: ((statement: string) => Promise<unknown[]>) | undefined;
}

/** One user's client. */
export class CrowdClient {
  /**
   * Other users' conversations named by this user's turns; responses may repeat these ids until the store has
   * answered.
   */
  readonly named = new Set<string>();
  readonly tally: Tally;
  readonly #options: CrowdOptions;
  readonly #user: number;
  readonly #token: string;

  constructor(options: CrowdOptions, user: number, token: string) {
    this.#options = options;
    this.tally = options.tally;
    this.#user = user;
    this.#token = token;
  }

  /**
   * Whether a search must find an own conversation: a user message of it is indexed, or its title if that
   * `isSettled`.
   */
  async isSearchable(id: string, isSettled: boolean): Promise<boolean> {
    const rows = await this.#options.sql?.(`
      select from message_words w join messages m on m.id = w.id
        where w.conversation_id = '${id}' and w.words is not null and m.role = 'user'
      union all select from title_words w where ${isSettled} and w.id = '${id}' and w.words is not null limit 1`);
    return rows !== undefined && rows.length > 0;
  }

  /**
   * Sends a request. Resolves with its response, whose status must be one of `expected`; or with `undefined`
   * if the outcome is unknown: the client left, or the store was unavailable.
   */
  async ask(sent: Sent, expected: readonly number[]): Promise<Heard | undefined> {
    const { tally, onCall } = this.#options;
    onCall();
    tally.add("calls");
    const heard = await this.#send(sent);
    if (heard === undefined) {
      tally.add("left");
      return undefined;
    }
    const { status, body } = heard;
    if (status === 503) {
      const { code } = Problem.parse(JSON.parse(body));
      const isInterrupted = code === "interrupted" && sent.mayBeInterrupted === true;
      assert.ok(isInterrupted || code === "store_unavailable", body);
      tally.add(isInterrupted ? "interrupted" : "unavailable");
      return undefined;
    }
    const label = `user ${this.#user}, ${sent.method} ${sent.path} ${JSON.stringify(sent.body)}: ${status} ${body}`;
    assert.ok(expected.includes(status), `${label}, not ${expected.join(" or ")}`);
    tally.add(String(status));
    return heard;
  }

  async #send({ method, path, body, headers, leavesAfterMs }: Sent): Promise<Heard | undefined> {
    const { url, agent, owners } = this.#options;
    const bytes = body === undefined ? "" : JSON.stringify(body);
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const authorization = `Bearer ${this.#token}`;
    const outgoing = request(url + path, { method, agent, headers: { authorization, ...type, ...headers } });
    const over = Promise.withResolvers<void>();
    const chunks: Buffer[] = [];
    let response: IncomingMessage | undefined;
    let failure: Error | undefined;
    outgoing
      .once("response", (incoming) => {
        response = incoming;
        incoming
          .on("data", (chunk: Buffer) => chunks.push(chunk))
          .on("error", () => {}) // `complete` tells
          .once("close", over.resolve);
      })
      .on("error", (error) => {
        failure = error;
        if (response === undefined) over.resolve();
      })
      .end(bytes);
    let hasLeft = false;
    const leave = (): void => {
      hasLeft = true;
      outgoing.destroy();
      if (response === undefined) over.resolve();
    };
    const timer = leavesAfterMs === undefined ? undefined : setTimeout(leave, leavesAfterMs);
    await over.promise;
    clearTimeout(timer);
    const text = Buffer.concat(chunks).toString();
    owners.check(
      `${JSON.stringify(response?.headers)}\n${text}`,
      this.#user,
      [path, bytes, ...this.named].join(),
    );
    if (response?.complete === true)
      return { status: response.statusCode ?? 0, headers: response.headers, body: text };
    assert.ok(
      hasLeft,
      `user ${this.#user}, ${method} ${path}: the response was cut off: ${failure?.message} ${text}`,
    );
    return undefined;
  }
}
