/** Turns that are over: shown, and read from the server as soon as it has stored them. */
import { ForewordError } from "../../base/foreword-client.ts";
import type { KeptTurn } from "./browser-memory.ts";
import { toContent, toLocalReply, type Message, type ReplyContent } from "./message.ts";
import type { StoredMessages } from "./stored-messages.ts";
import type { ShownServices } from "./turn-services.ts";

/** How often a reply in the server's queue is looked for among the stored ones, in milliseconds. */
const queuedMs = 5_000;

/** The ended turns of one conversation. */
export class EndedTurns {
  readonly #services: ShownServices;
  readonly #conversationId: string;
  readonly #stored: StoredMessages;
  readonly #onChange: () => void;

  constructor(services: ShownServices, conversationId: string, stored: StoredMessages, onChange: () => void) {
    this.#services = services;
    this.#conversationId = conversationId;
    this.#stored = stored;
    this.#onChange = onChange;
  }

  /** Shows how a reply has ended. */
  show(turnId: string, content: ReplyContent): void {
    const { tree } = this.#stored;
    const reply = tree.get(turnId);
    if (reply !== undefined) tree.put({ ...reply, text: content.answer ?? "", reply: content });
    this.#onChange();
  }

  /** Reads why the last reply of the shown path failed, which its row does not tell. */
  async explain(): Promise<void> {
    const { client, signal } = this.#services;
    const { id = "", reply } = this.#stored.path.at(-1) ?? {};
    if (reply?.error !== null || (reply.status !== "failed" && reply.status !== "interrupted")) return;
    try {
      const { error } = await client.get(id, { signal });
      const message = this.#stored.tree.get(id);
      if (message?.reply !== undefined)
        this.#stored.tree.put({ ...message, reply: { ...message.reply, error } });
      this.#onChange();
    } catch {
      // It failed: that is all there is to say.
    }
  }

  /**
   * Shows a turn that was over when it was last seen, but not stored.
   * @throws ForewordError
   */
  async load(question: Message, turnId: string): Promise<void> {
    const { client, signal } = this.#services;
    const { tree } = this.#stored;
    try {
      const content = toContent(await client.get(turnId, { signal }));
      const { parentId, text } = question;
      const asked = this.#stored.findQuestion(parentId, text) ?? question; // it may have been read meanwhile
      if (tree.get(asked.id) === undefined) tree.put(asked);
      tree.put(toLocalReply(turnId, turnId, asked.id));
      this.#stored.leafId = tree.newestLeaf(turnId);
      this.show(turnId, content);
      void this.settle(asked, turnId, content);
    } catch (error) {
      if (!(error instanceof ForewordError) || error.code !== "not_found") throw error;
      this.forget(turnId); // a server without a store keeps nothing for long
    }
  }

  /** Reads the rows of a turn and forgets it, as soon as they are stored. */
  async settle(question: Message, turnId: string, { storage }: Pick<ReplyContent, "storage">): Promise<void> {
    const { memory, clock, signal } = this.#services;
    const { tree, hasHistory } = this.#stored;
    for (const kept of this.#readKept(turnId))
      memory.writeTurn(this.#conversationId, { ...kept, isOver: true });
    if (!hasHistory || storage === "none" || signal.aborted) return;
    try {
      await this.#stored.read(true);
      this.#stored.settle(question, turnId);
    } catch {
      // The database is away: it is read later.
    }
    const isStored = tree.get(turnId)?.isStored === true;
    if (isStored) this.forget(turnId);
    this.#onChange();
    if (!isStored && storage === "queued") {
      const timer = clock.after(queuedMs, () => void this.settle(question, turnId, { storage }));
      signal.addEventListener("abort", () => timer.cancel());
    }
  }

  /** Forgets a turn. */
  forget(turnId: string): void {
    for (const kept of this.#readKept(turnId)) this.#services.memory.forgetTurn(this.#conversationId, kept);
  }

  #readKept(turnId: string): readonly KeptTurn[] {
    return this.#services.memory.readTurns(this.#conversationId).filter((kept) => kept.turnId === turnId);
  }
}
