/** The stored items that the input of a request refers to. */
import type { Caller } from "../../../base/caller.ts";
import { toTurnRunning } from "../../../base/turn-running.ts";
import type { StoredMessage } from "../../../history/history.ts";
import type { PathRows } from "../../../history/path-rows.ts";
import type { FollowedTurn } from "../../../live/live-turn.ts";
import type { LiveTurns } from "../../../live/live-turns.ts";
import { unknownOutcome } from "../../../turn/items/tool-parts.ts";
import { toMissingItem } from "../conversations/item-page.ts";
import { toStoredItems, type ConversationItem } from "../conversations/stored-items.ts";
import { parseItemId, type ItemPlace } from "../ids.ts";
import { readTurnItems } from "../resource.ts";
import { toToolName } from "../server-tool-name.ts";
import type { PlacedItem } from "./sent-chat.ts";

/** Where stored responses and messages are found. */
export interface InputSources {
  readonly live: LiveTurns;
  /** `undefined` if nothing is stored. */
  readonly paths: PathRows | undefined;
}

/** The stored items of one request's input: each turn and each message is read once. */
export class StoredInput {
  readonly #items: readonly PlacedItem[];
  readonly #caller: Caller;
  readonly #sources: InputSources;
  readonly #turns = new Map<string, Promise<FollowedTurn | undefined>>();
  readonly #messages = new Map<string, StoredMessage>();

  constructor(items: readonly PlacedItem[], caller: Caller, sources: InputSources) {
    this.#items = items;
    this.#caller = caller;
    this.#sources = sources;
  }

  /**
   * Resolves with the input, each reference replaced by its item.
   * @throws AppError `not_found`, `turn_running` for an item of a turn in progress, or a `store_…` code.
   */
  async resolve(): Promise<readonly PlacedItem[]> {
    const places = this.#items.flatMap(({ item }) =>
      item.kind === "reference" ? (parseItemId(item.id) ?? []) : [],
    );
    if (places.length === 0 && !this.#items.some(({ item }) => item.kind === "reference")) return this.#items;
    await this.#load(places.map(({ id }) => id));
    const resolved: PlacedItem[] = [];
    for (const placed of this.#items) {
      const { item, field } = placed;
      if (item.kind !== "reference") {
        resolved.push(placed);
        continue;
      }
      const place = parseItemId(item.id);
      const found = place && (await this.#find(place, item.id.toLowerCase()));
      if (place === undefined || found === undefined) throw toMissingItem(item.id, field);
      resolved.push({ item: this.#toInput(found, place, field), field });
    }
    return resolved;
  }

  /**
   * Resolves with the conversation of the last item that has the id of a stored one; `undefined` if it is
   * unknown, or if there is none.
   */
  async findConversation(): Promise<string | undefined> {
    const ids = this.#items.flatMap(({ item }) =>
      "id" in item ? (parseItemId(item.id ?? "")?.id ?? []) : [],
    );
    const last = ids.at(-1);
    return last === undefined ? undefined : await this.#findConversationOf(last);
  }

  /** Reads the messages with these ids that are in the conversation of the last one. */
  async #load(ids: readonly string[]): Promise<void> {
    const last = ids.at(-1);
    const conversationId = last === undefined ? undefined : await this.#findConversationOf(last);
    if (conversationId === undefined || this.#sources.paths === undefined) return;
    const wanted = Array.from(new Set(ids));
    const messages = await this.#sources.paths.readAll(this.#caller, { conversationId }, wanted);
    for (const message of messages) this.#messages.set(message.id, message);
  }

  async #findConversationOf(id: string): Promise<string | undefined> {
    const turn = await this.#findTurn(id);
    if (turn !== undefined) return turn.log.start?.conversationId;
    return await this.#sources.paths?.findConversation(this.#caller, id);
  }

  async #find(place: ItemPlace, id: string): Promise<ConversationItem | undefined> {
    const message = this.#messages.get(place.id);
    // A turn numbers its items itself; without tools there is nothing to number.
    if (message === undefined || message.tools !== undefined) {
      const items = await this.#readOutput(place.id);
      const found = items.find((item) => item.id === id);
      if (found !== undefined) return found;
    }
    if (message === undefined && !this.#messages.has(place.id)) await this.#load([place.id]);
    const loaded = this.#messages.get(place.id);
    return loaded && toStoredItems(loaded).find(({ item }) => item.id === id)?.item;
  }

  async #findTurn(turnId: string): Promise<FollowedTurn | undefined> {
    const found = this.#turns.get(turnId) ?? this.#sources.live.find(turnId, this.#caller);
    this.#turns.set(turnId, found);
    return await found;
  }

  /** Resolves with the items of a turn; none if there is no such turn. */
  async #readOutput(turnId: string): Promise<readonly ConversationItem[]> {
    const turn = await this.#findTurn(turnId);
    if (turn === undefined) return [];
    if (turn.log.last === undefined) throw toTurnRunning(turnId);
    return readTurnItems(turn);
  }

  /** Returns a stored item as one of the input. */
  #toInput(item: ConversationItem, { id }: ItemPlace, field: string): PlacedItem["item"] {
    switch (item.type) {
      case "reasoning":
      case "mcp_approval_request":
        return { kind: "none" };
      case "function_call":
        return { kind: "call", callId: item.call_id, name: item.name, input: item.arguments };
      case "function_call_output":
        return { kind: "output", callId: item.call_id, content: [{ text: item.output }] };
      case "mcp_call": {
        const { id: callId, arguments: input, output, error } = item;
        const name = toToolName(item.server_label, item.name);
        const failed = error === null ? unknownOutcome : ({ status: "failed", output: error } as const);
        const outcome = output === null ? failed : ({ status: "complete", output } as const);
        return { kind: "server-call", callId, name, input, outcome };
      }
      case "message": {
        if (item.role === "assistant") {
          const text = item.content.map((part) => part.text).join("");
          const isWhole = this.#messages.get(id)?.tools === undefined;
          const own = { role: "assistant", text, images: [], isAnswer: true } as const;
          return { kind: "stored", message: isWhole ? { ...own, id } : own };
        }
        const text = item.content.map((part) => (part.type === "input_text" ? part.text : "")).join("");
        const images = (this.#messages.get(id)?.attachments ?? []).map((attachment) => ({
          mimeType: attachment.mediaType,
          data: "",
          name: attachment.name,
          link: { id: attachment.id, field },
        }));
        return { kind: "stored", message: { role: item.role, text, images } };
      }
    }
  }
}
