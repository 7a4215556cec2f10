/** Which of the user's knowledge bases the next questions are answered with. */
import { useEffect } from "preact/hooks";
import { usePage } from "../../base/page-context.ts";
import { Store } from "../../base/store.ts";
import { useStore } from "../../base/use-store.ts";
import type { KnowledgeBase } from "../../base/foreword-client.ts";
import type { UserBases } from "../../knowledge/user-bases.ts";
import type { BrowserMemory } from "../conversation/browser-memory.ts";

/** The choice, and the knowledge bases to choose from. */
export interface KnowledgeChoice {
  readonly knowledge: UserBases;
  readonly bases: readonly KnowledgeBase[];
  /** The name of one; `undefined` if none. */
  readonly chosen: string | undefined;
  readonly choose: (name: string | undefined) => void;
}

const noBases = new Store<readonly KnowledgeBase[] | undefined>(undefined);

/** Returns the choice, which the browser keeps; `undefined` if the server has no knowledge bases. */
export function useKnowledgeChoice(memory: BrowserMemory): KnowledgeChoice | undefined {
  const { knowledge } = usePage();
  const bases = useStore(knowledge?.store ?? noBases, (known) => known);
  const chosen = useStore(memory.knowledgeBase, (current) => current);
  useEffect(() => void knowledge?.read(), [knowledge]);
  const choose = (name: string | undefined): void => memory.writeKnowledgeBase(name);
  const isGone = chosen !== undefined && bases?.some(({ name }) => name === chosen) === false;
  useEffect(() => {
    if (isGone) choose(undefined);
  });
  if (knowledge === undefined) return undefined;
  return { knowledge, bases: bases ?? [], chosen: isGone ? undefined : chosen, choose };
}
