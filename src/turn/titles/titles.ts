/** The port through which turns give their conversations titles. */
import { toTitle, untitled } from "../message.ts";
import type { TurnBegin, TurnResult, TurnStore } from "../ports.ts";
import { toChat, type TurnRequest } from "../turn-request.ts";

/** A question whose reply is the first of its conversation, as far as its request shows. */
export interface FirstQuestion {
  readonly text: string;
  /** The titles that the conversation may have until a model has made one. */
  readonly replaces: readonly string[];
}

/** The first reply of a conversation. */
export interface FirstReply extends FirstQuestion {
  readonly turnId: string;
  readonly conversationId: string;
  readonly userId: string | undefined;
  /** The API key in whose budget its turn counts; absent if there is none. */
  readonly keyName?: string | undefined;
  readonly answer: string;
}

/** Makes titles. */
export interface Titles {
  /**
   * Makes the title of a conversation after its first reply. Resolves with it once the conversation has it,
   * and with `undefined` if it gets none: another reply came first, a person has given it a title, or the
   * model has failed. Never rejects.
   */
  make(reply: FirstReply): Promise<string | undefined>;
}

/**
 * Returns a store that starts the title of the turn's conversation when it stores the turn's end. Returns
 * `store` itself if the turn's reply cannot be the first of a stored conversation.
 * @param onTitle called with the title in progress.
 */
export function withTitle(
  store: TurnStore,
  titles: Titles | undefined,
  request: TurnRequest,
  onTitle: (title: Promise<string | undefined>) => void,
): TurnStore {
  const question = titles && findFirstQuestion(request);
  if (titles === undefined || question === undefined) return store;
  return {
    begin: async (turn) => await store.begin(turn),
    pause: async (turn, paused) => await store.pause(turn, paused),
    end: async (turn, result) => {
      const reply = toFirstReply(question, turn, result);
      if (reply !== undefined) onTitle(titles.make(reply));
      return await store.end(turn, result);
    },
  };
}

function findFirstQuestion(request: TurnRequest): FirstQuestion | undefined {
  const chat = toChat(request);
  if (request.isKept === false || request.continues?.isAgain === true) return undefined;
  if (chat.some(({ role }) => role === "assistant")) return undefined;
  const text = chat.findLast(({ role }) => role === "user")?.text ?? "";
  return { text, replaces: [toTitle(chat), untitled] };
}

function toFirstReply(
  question: FirstQuestion,
  { turnId, conversationId, isConversationNamed, caller, allowance }: TurnBegin,
  { outcome, toBody }: TurnResult,
): FirstReply | undefined {
  // If the store has not said which conversation it is, its begin is in the journal.
  if (!isConversationNamed || (outcome !== "complete" && outcome !== "stopped")) return undefined;
  const answer = toBody().answer ?? "";
  if (answer.trim() === "") return undefined;
  const { userId } = caller;
  return { ...question, turnId, conversationId, userId, keyName: allowance?.key?.name, answer };
}
