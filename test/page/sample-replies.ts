/** Replies that look like a model's, with everything that the page can show of a text. */

/** A question about tides, with a table, a formula, code and a link in its reply. */
export const tides = {
  question: "When is the next spring tide, and how do I calculate tide heights myself?",
  plan: `- Explain why spring tides follow new and full moon
- Give the rule of twelfths with a worked example
- Offer a small function for any hour`,
  answer: `Spring tides come **one to two days after each new and full moon**, when the Sun and the Moon pull along the same line. The next one follows the full moon of 24 December.

## The rule of twelfths

Between low and high water the sea rises in six steps:

| Hour | Share of the range | Height at a range of 4.8 m |
|-----:|:-------------------|---------------------------:|
| 1 | 1/12 | 0.4 m |
| 2 | 2/12 | 1.2 m |
| 3 | 3/12 | 2.4 m |
| 4 | 3/12 | 3.6 m |
| 5 | 2/12 | 4.4 m |
| 6 | 1/12 | 4.8 m |

For any other moment, a cosine is close enough: $h(t) = \\frac{r}{2}\\left(1 - \\cos\\frac{\\pi t}{6}\\right)$.

\`\`\`ts
/** Returns the height above low water, in metres, \`hours\` after it. */
export function heightAt(hours: number, range: number): number {
  return (range / 2) * (1 - Math.cos((Math.PI * hours) / 6));
}
\`\`\`

Two things to keep in mind:

1. Wind and air pressure can add or take away half a metre.
2. Your harbour has its own delay; [the tide tables](https://example.org/tides) list it.

> Never plan a crossing on the last centimetre.
`,
};

/** Earlier conversations for a list. */
export const titles = [
  "Spring tides and the rule of twelfths",
  "Fish soup for eight people",
  "Compare Postgres and SQLite",
  "A reminder that a bill is due",
  "Night train from Hamburg to Oslo",
  "Name for a sailing boat",
  "Why bread needs salt",
  "Lighthouses of the North Sea",
  "Repair a wooden oar",
] as const;

/** Returns a reply as a model sends it. */
export function toReply({ plan, answer }: { readonly plan: string; readonly answer: string }): string {
  return `${plan}\n---RESPONSE---\n${answer}`;
}
