/** What a reply has cost, and which model wrote it. */
import { useState } from "preact/hooks";
import { usePage } from "../../base/page-context.ts";
import { language, strings } from "../../strings/strings.ts";
import type { ReplyContent } from "../conversation/message.ts";

/** Shows a reply's model, tokens and times, folded; the day's cost is read when it is opened. */
export function ReplyDetails({ content }: { readonly content: ReplyContent }) {
  const { client } = usePage();
  const { chat } = strings;
  const numbers = new Intl.NumberFormat(language);
  const [cost, setCost] = useState<number | null>(null);
  const { model, usage, durationMs, firstTextMs } = content;
  if (model === null && usage === null) return null;
  const readCost = async (): Promise<void> => {
    const today = new Date().toISOString().slice(0, 10);
    const report = await client.usage({ from: today, to: today }).catch(() => undefined);
    setCost(report?.total.cost ?? null);
  };
  const toSeconds = (ms: number): string => chat.seconds(numbers.format(Math.round(ms / 100) / 10));
  const parts = [
    model,
    usage && chat.tokens(numbers.format(usage.inputTokens), numbers.format(usage.outputTokens)),
    durationMs !== null && toSeconds(durationMs),
    firstTextMs !== null && firstTextMs >= 1_000 && chat.firstText(toSeconds(firstTextMs)),
    cost !== null && cost > 0 && chat.costToday(numbers.format(cost)),
  ];
  return (
    <details
      class="reply-details"
      onToggle={(event) => {
        if (event.currentTarget.open) void readCost();
      }}
    >
      <summary>{chat.details}</summary>
      <span>{parts.filter((part) => typeof part === "string").join(" · ")}</span>
    </details>
  );
}
