/** Collects the sources of a turn from its events, in the shape of a `TurnState`. */
import { findCitations } from "../../../src/base/shared/citations.ts";
import type { TurnState } from "../../../src/http/turns/turn-state.ts";
import type { StreamEvent } from "../../../src/wires/foreword/event-stream.ts";

type SourceEvent = Extract<StreamEvent, { readonly type: "search" | "source" }>;
type Sources = Pick<TurnState, "searches" | "sources">;

/** The sources of one turn. */
export class ReplySources {
  readonly #searches: NonNullable<Sources["searches"]>[number][] = [];
  readonly #sources: Extract<SourceEvent, { readonly type: "source" }>[] = [];

  /** Takes the next event. */
  take(event: SourceEvent): void {
    if (event.type === "source") this.#sources.push(event);
    else this.#searches.push({ kind: event.kind, query: event.query, status: event.status });
  }

  /** Returns the fields of the turn's state, which are absent if nothing was searched. */
  toFields(answer: string): Sources {
    const cited = new Set(findCitations(answer).flatMap(({ numbers }) => numbers));
    const sources = this.#sources.map(
      ({ type: _type, position: _position, ordinal: _ordinal, ...source }) => ({
        ...source,
        isCited: cited.has(source.number),
      }),
    );
    return {
      ...(this.#searches.length > 0 && { searches: this.#searches }),
      ...(sources.length > 0 && { sources }),
    };
  }
}
