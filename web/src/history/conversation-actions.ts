/** Renames, archives and deletes conversations: at once in the list, then on the server. */
import { ForewordError, type Conversation, type Conversations } from "../base/foreword-client.ts";
import type { Changes } from "../base/changes.ts";
import type { Clock } from "../base/clock.ts";
import { Store } from "../base/store.ts";
import type { ConversationList } from "./conversation-list.ts";

/** How long an action can be undone, in milliseconds. */
const undoMs = 8_000;

/** How many conversations are counted. */
const maxCount = 1_000;

/** The most UTF-16 units of a title. */
const maxTitleLength = 500;

/** The actions that may fail. */
export type ActionName = "rename" | "archive" | "delete" | "delete-all" | "export";

/** The result of an action, to be told in a sentence, mostly with a button to undo it. */
export type Notice =
  | {
      readonly type: "deleted" | "archived" | "unarchived";
      readonly key: string;
      readonly conversation: Conversation;
    }
  | { readonly type: "all-deleted"; readonly key: string; readonly count: number }
  | { readonly type: "all-kept"; readonly key: string }
  | { readonly type: "failed"; readonly key: string; readonly action: ActionName; readonly error: unknown };

/** Services of {@link ConversationActions}. */
export interface ActionServices {
  readonly conversations: Conversations;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly list: ConversationList;
}

/** The actions on conversations, and the notices of those just taken. */
export class ConversationActions extends Store<readonly Notice[]> {
  readonly #conversations: Conversations;
  readonly #changes: Changes;
  readonly #clock: Clock;
  readonly #list: ConversationList;
  /** Deletions that can still be undone, by the conversation's id. */
  readonly #pending = new Map<string, { cancel(): void }>();
  /** The last change of each conversation: changes are sent one after another. */
  readonly #last = new Map<string, Promise<void>>();
  /** The deletion of all conversations that can still be undone. */
  #pendingAll: { readonly key: string; cancel(): void } | undefined;
  #count = 0;

  constructor({ conversations, changes, clock, list }: ActionServices) {
    super([]);
    this.#conversations = conversations;
    this.#changes = changes;
    this.#clock = clock;
    this.#list = list;
  }

  /** Renames a conversation; an empty or unchanged title changes nothing. */
  async rename({ id, title: old }: Conversation, text: string): Promise<void> {
    const title = toTitle(text);
    if (title === "" || title === old) return;
    const overlay = { title };
    this.#list.overlay(id, overlay);
    await this.#inOrder(id, async () => {
      try {
        this.#list.put(await this.#conversations.update(id, { title }));
        this.#changes.announce({ type: "update", conversationId: id });
      } catch (error) {
        this.#fail("rename", error);
      } finally {
        this.#list.endOverlay(id, overlay);
      }
    });
  }

  /** Archives a conversation, or brings it back from the archive; it leaves the list that is shown. */
  async archive(conversation: Conversation, isArchived: boolean): Promise<void> {
    const { id } = conversation;
    this.#list.hide(id, true);
    const key = this.#notify({ type: isArchived ? "archived" : "unarchived", conversation });
    this.#clock.after(undoMs, () => this.dismiss(key));
    await this.#inOrder(id, async () => {
      try {
        this.#list.put(await this.#conversations.update(id, { archived: isArchived }));
        this.#changes.announce({ type: "update", conversationId: id });
      } catch (error) {
        this.dismiss(key);
        this.#fail("archive", error);
      } finally {
        this.#list.hide(id, false);
      }
    });
  }

  /** Deletes a conversation, unless {@link undo} is called in time. */
  delete(conversation: Conversation): void {
    const { id } = conversation;
    if (this.#pending.has(id)) return;
    this.#list.hide(id, true);
    this.#notify({ type: "deleted", conversation });
    this.#pending.set(
      id,
      this.#clock.after(undoMs, () => void this.#deleteNow(id)),
    );
  }

  /** Undoes the action of a notice. */
  async undo(notice: Notice): Promise<void> {
    this.dismiss(notice.key);
    if (notice.type === "failed" || notice.type === "all-kept") return;
    if (notice.type === "all-deleted") {
      this.#keepAll();
      return;
    }
    const { id } = notice.conversation;
    if (notice.type !== "deleted") return await this.archive(notice.conversation, notice.type !== "archived");
    this.#pending.get(id)?.cancel();
    if (this.#pending.delete(id)) this.#list.hide(id, false);
  }

  /** Removes a notice. */
  dismiss(key: string): void {
    this.set(this.state.filter((notice) => notice.key !== key));
  }

  /** Sends all deletions now: the page is hidden, and may not come back. */
  async flush(): Promise<void> {
    if (this.#pendingAll !== undefined) {
      await this.deleteAll();
      return;
    }
    await Promise.all(Array.from(this.#pending.keys(), async (id) => await this.#deleteNow(id)));
  }

  /** Resolves with the text of a conversation to save; `undefined` if that failed. */
  async export({ id }: Conversation, format: "markdown" | "json"): Promise<string | undefined> {
    try {
      if (format === "markdown") return await this.#conversations.exportMarkdown(id);
      return JSON.stringify(await this.#conversations.export(id), undefined, 2);
    } catch (error) {
      this.#fail("export", error);
      return undefined;
    }
  }

  /** Resolves with the number of all conversations, counted up to about 1,000; `undefined` if that failed. */
  async countAll(): Promise<number | undefined> {
    let count = 0;
    try {
      for (const archived of [false, true])
        for (let cursor: string | null | undefined; cursor !== null && count <= maxCount;) {
          const page = await this.#conversations.list({ limit: 100, archived, cursor });
          count += page.conversations.length;
          cursor = page.nextCursor;
        }
      return count;
    } catch (error) {
      this.#fail("delete-all", error);
      return undefined;
    }
  }

  /**
   * Deletes all conversations, unless {@link undo} is called in time, or a message is sent meanwhile: its
   * conversation must not be deleted with the others.
   */
  deleteAllSoon(count: number): void {
    if (this.#pendingAll !== undefined) return;
    this.#list.hideAll(true);
    const key = this.#notify({ type: "all-deleted", count });
    const timer = this.#clock.after(undoMs, () => void this.deleteAll());
    const stopListening = this.#changes.subscribe(({ type }) => {
      if (type !== "turn-start") return;
      this.#keepAll();
      const kept = this.#notify({ type: "all-kept" });
      this.#clock.after(undoMs, () => this.dismiss(kept));
    });
    const cancel = (): void => {
      timer.cancel();
      stopListening();
    };
    this.#pendingAll = { key, cancel };
  }

  /** Deletes all conversations now, archived ones included; resolves with whether that succeeded. */
  async deleteAll(): Promise<boolean> {
    this.#pendingAll?.cancel();
    this.#pendingAll = undefined;
    for (const timer of this.#pending.values()) timer.cancel();
    const pending = Array.from(this.#pending.keys());
    this.#pending.clear();
    this.set(this.state.filter(({ type }) => type === "failed"));
    try {
      await this.#conversations.deleteAll();
      this.#list.clear();
      this.#changes.announce({ type: "delete-all" });
      return true;
    } catch (error) {
      this.#fail("delete-all", error);
      return false;
    } finally {
      for (const id of pending) this.#list.hide(id, false);
      this.#list.hideAll(false);
    }
  }

  #keepAll(): void {
    if (this.#pendingAll === undefined) return;
    this.#pendingAll.cancel();
    this.dismiss(this.#pendingAll.key);
    this.#pendingAll = undefined;
    this.#list.hideAll(false);
  }

  async #deleteNow(id: string): Promise<void> {
    this.#pending.get(id)?.cancel();
    if (!this.#pending.delete(id)) return;
    for (const notice of this.state)
      if (notice.type === "deleted" && notice.conversation.id === id) this.dismiss(notice.key);
    try {
      await this.#conversations.delete(id);
      this.#gone(id);
    } catch (error) {
      // Another tab or device was faster.
      if (error instanceof ForewordError && error.code === "conversation_not_found") this.#gone(id);
      else this.#fail("delete", error);
    } finally {
      this.#list.hide(id, false);
    }
  }

  #gone(id: string): void {
    this.#list.remove(id);
    this.#changes.announce({ type: "delete", conversationId: id });
  }

  async #inOrder(id: string, change: () => Promise<void>): Promise<void> {
    const before = this.#last.get(id);
    const all = (async () => {
      await before;
      await change();
    })();
    this.#last.set(id, all);
    await all;
    if (this.#last.get(id) === all) this.#last.delete(id);
  }

  #fail(action: ActionName, error: unknown): void {
    this.#notify({ type: "failed", action, error });
  }

  #notify(notice: WithoutKey<Notice>): string {
    this.#count += 1;
    const key = String(this.#count);
    this.set([...this.state, { ...notice, key }]);
    return key;
  }
}

/** Returns a title as the server keeps it: one line, without half of a character at its end. */
function toTitle(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim().slice(0, maxTitleLength);
  return line.replace(/[\uD800-\uDBFF]$/, "").trim();
}

/** Each notice without its key. */
type WithoutKey<One> = One extends unknown ? Omit<One, "key"> : never;
