/** Follows a media query. */
import { useEffect, useState } from "preact/hooks";

/** Returns whether the window matches `query`. */
export function useMediaQuery(query: string): boolean {
  const [isMatch, setIsMatch] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const onChange = (): void => setIsMatch(list.matches);
    onChange();
    list.addEventListener("change", onChange);
    return () => list.removeEventListener("change", onChange);
  }, [query]);
  return isMatch;
}
