/** The port that looks for sources before a model is asked. */
import type { Caller } from "../../base/caller.ts";
import type { Message } from "../message.ts";
import type { SourceData, SourceKind } from "../turn-event.ts";

/** What a turn asks for. */
export interface GroundingRequest {
  readonly useWebSearch: boolean;
  readonly knowledgeBase: string | undefined;
  readonly caller: Caller;
  /** The chat; its last message of the user's is what sources are looked for. */
  readonly messages: readonly Message[];
}

/** A source, and all of its text. */
export interface FoundSource extends Omit<SourceData, "sourceId" | "number" | "quote"> {
  /** Names it within its kind: the same passage or page has the same. */
  readonly key: string;
  readonly text: string;
  /** The part of the text that was found, if that is not its beginning. */
  readonly quote?: string;
  /** More of its document, for which there may be room. */
  readonly around?: TextAround | undefined;
}

/** A text beside a source in its document. */
interface TextBeside {
  /** The page that it stands on; `undefined` if the document has no pages. */
  readonly page: number | undefined;
  readonly text: string;
}

/** What stands around a source in its document, without other sources. The nearest comes first. */
export interface TextAround {
  readonly before: readonly TextBeside[];
  readonly after: readonly TextBeside[];
  /** Whether these and the document's other sources, with what stands around them, are all of it. */
  readonly isWhole: boolean;
}

/** A search that is over. */
export interface FinishedSearch {
  readonly kind: SourceKind;
  readonly query: string;
  /** `undefined` if the search failed. */
  readonly sources: readonly FoundSource[] | undefined;
}

/** Searches in progress. */
export interface Gathering {
  /**
   * Resolves with the searches that were made, within some seconds. One for a knowledge base that does not
   * exist is left out. Never rejects.
   */
  readonly done: Promise<readonly FinishedSearch[]>;
  /** Ends them: their results are not needed any more. */
  abort(): void;
}

/** Looks for sources. */
export interface Grounding {
  /** Whether {@link gather} would search. */
  isAskedFor(request: Pick<GroundingRequest, "useWebSearch" | "knowledgeBase">): boolean;
  /** Starts to search; `undefined` if the request asks for nothing that this server has. */
  gather(request: GroundingRequest): Gathering | undefined;
}
