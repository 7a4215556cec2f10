/** The time that something takes, and took. */
import { useEffect, useReducer } from "preact/hooks";
import { strings } from "../../strings/strings.ts";

/** Returns a time in words, in whole seconds; `undefined` for less than one. */
export function toDuration(milliseconds: number): string | undefined {
  const seconds = Math.floor(milliseconds / 1_000);
  if (seconds < 1) return undefined;
  const { chat } = strings;
  return seconds < 60 ? chat.seconds(String(seconds)) : chat.minutes(Math.floor(seconds / 60), seconds % 60);
}

/** Shows how long it has been, second by second. Screen readers find it, and do not announce it. */
export function Elapsed({ sinceMs }: { readonly sinceMs: number }) {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const timer = setInterval(render, 1_000, undefined);
    return () => clearInterval(timer);
  }, []);
  return (
    <span class="elapsed" role="timer">
      {toDuration(Date.now() - sinceMs)}
    </span>
  );
}
