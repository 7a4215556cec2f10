/** Lets a component follow a part of a store. */
import { useEffect, useReducer, useRef } from "preact/hooks";
import type { Store } from "./store.ts";

/** Returns `select(state)`, and renders the component again when that has changed. */
export function useStore<State, Part>(store: Store<State>, select: (state: State) => Part): Part {
  const [, render] = useReducer((count: number) => count + 1, 0);
  const part = select(store.state);
  const shown = useRef({ select, part });
  shown.current = { select, part };
  useEffect(() => {
    const look = (): void => {
      if (!Object.is(shown.current.select(store.state), shown.current.part)) render(undefined);
    };
    look(); // it may have changed before the effect ran
    return store.subscribe(look);
  }, [store]);
  return part;
}
