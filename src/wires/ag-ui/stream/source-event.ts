/** Searches and sources as events of a run. */
import { toSearchJson, toSourceJson } from "../../../http/items/source-states.ts";
import type { Search, Source } from "../../../turn/turn-event.ts";
import type { AgUiEvent } from "./event.ts";

/** Returns the event of a search or a source: AG-UI has none of its own. */
export function toSourceEvent(item: Search | Source): AgUiEvent {
  return item.type === "search"
    ? { type: "CUSTOM", name: item.type, value: toSearchJson(item) }
    : { type: "CUSTOM", name: item.type, value: toSourceJson(item) };
}
