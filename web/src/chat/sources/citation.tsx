/** A citation in an answer. */
import { strings } from "../../strings/strings.ts";
import { useSources } from "./sources-context.ts";

interface CitationProps {
  readonly numbers: readonly number[];
  /** As the model wrote it. */
  readonly text: string;
}

/** Shows `[1]` or `[1, 2]` as buttons that open these sources; as text if the reply has no such sources. */
export function Citation({ numbers, text }: CitationProps) {
  const { sources, open } = useSources();
  const cited = numbers.map((number) => sources.find((source) => source.number === number));
  if (!cited.every((source) => source !== undefined)) return <>{text}</>;
  return (
    <>
      {cited.map(({ number, title }) => (
        <button
          key={number}
          type="button"
          class="citation"
          aria-label={strings.chat.sourceNumber(number, title)}
          title={title}
          onClick={() => open(number)}
        >
          [{number}]
        </button>
      ))}
    </>
  );
}
