/** Groups conversations by their last change: today, yesterday, the last week, months and years. */
import type { ListedConversation } from "../../base/foreword-client.ts";

/** A row of the list. */
export type ListRow =
  | { readonly type: "heading"; readonly key: string; readonly label: string }
  | { readonly type: "conversation"; readonly key: string; readonly conversation: ListedConversation };

/** The words and formats of a language. */
export interface DayWords {
  /** Its tag, like `en`. */
  readonly language: string;
  readonly previousWeek: string;
}

const dayMs = 86_400_000;

/** Returns the conversations, in their order, below a heading for each group. Days are the browser's. */
export function groupByDay(
  conversations: readonly ListedConversation[],
  now: Date,
  words: DayWords,
): readonly ListRow[] {
  const label = createLabels(now, words);
  const rows: ListRow[] = [];
  let last: string | undefined;
  for (const conversation of conversations) {
    const { key, text } = label(new Date(conversation.updatedAt));
    if (key !== last) rows.push({ type: "heading", key: `heading ${key}`, label: text() });
    rows.push({ type: "conversation", key: conversation.id, conversation });
    last = key;
  }
  return rows;
}

interface Label {
  readonly key: string;
  readonly text: () => string;
}

function createLabels(now: Date, { language, previousWeek }: DayWords): (date: Date) => Label {
  const days = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const month = new Intl.DateTimeFormat(language, { month: "long" });
  const year = new Intl.DateTimeFormat(language, { year: "numeric" });
  const today = toDayNumber(now);
  return (date) => {
    const age = today - toDayNumber(date);
    if (age <= 0) return { key: "today", text: () => capitalize(days.format(0, "day"), language) };
    if (age === 1) return { key: "yesterday", text: () => capitalize(days.format(-1, "day"), language) };
    if (age <= 7) return { key: "week", text: () => previousWeek };
    if (date.getFullYear() === now.getFullYear())
      return { key: `month ${date.getMonth()}`, text: () => capitalize(month.format(date), language) };
    return { key: `year ${date.getFullYear()}`, text: () => year.format(date) };
  };
}

/** Returns the number of a date's day in the browser's time zone: days of 23 or 25 hours count one, too. */
function toDayNumber(date: Date): number {
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / dayMs);
}

function capitalize(text: string, language: string): string {
  const [first = "", ...rest] = text;
  return first.toLocaleUpperCase(language) + rest.join("");
}
