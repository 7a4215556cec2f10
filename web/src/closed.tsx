/** What the page shows instead of a chat, if it cannot have one. */
import type { ClosedReason } from "./base/closed-reason.ts";
import { strings } from "./strings/strings.ts";

/** Says why there is no chat. */
export function Closed({ title, reason }: { readonly title: string; readonly reason: ClosedReason }) {
  return (
    <main class="closed">
      <h1>{title}</h1>
      <p>{strings.page[reason]}</p>
      <p>
        <a href="./docs">{strings.page.docs}</a>
      </p>
    </main>
  );
}
