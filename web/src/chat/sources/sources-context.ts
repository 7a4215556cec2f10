/** The sources of a reply, which the citations in its answer open. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Source } from "../conversation/message.ts";

/** What citations need of their reply. */
export interface CitedSources {
  readonly sources: readonly Source[];
  /** Shows the source with this number. */
  readonly open: (number: number) => void;
}

const noSources: CitedSources = { sources: [], open: () => {} };

/** Provides {@link CitedSources}. */
export const SourcesContext = createContext<CitedSources>(noSources);

/** Returns the sources of the reply that a component is in. */
export function useSources(): CitedSources {
  return useContext(SourcesContext);
}
