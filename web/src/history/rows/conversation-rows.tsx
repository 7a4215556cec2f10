/** The rows of the list: only those in view are rendered, and the keyboard moves through all of them. */
import type { ListedConversation } from "../../base/foreword-client.ts";
import { useRef } from "preact/hooks";
import { useStore } from "../../base/use-store.ts";
import { useHistory } from "../history-context.ts";
import { ConversationRow } from "./conversation-row.tsx";
import { moveInRows } from "./move-in-rows.ts";
import { useRows } from "./use-rows.ts";

/** Shows the rows. */
export function ConversationRows() {
  const { list } = useHistory();
  const query = useStore(list, (state) => state.shown.query);
  const scroller = useRef<HTMLDivElement>(null);
  const { rows, items, virtual, openId, activeIndex, activate, focusRow, moveFocus } = useRows(scroller);
  const toRow = (conversation: ListedConversation, index: number) => (
    <ConversationRow
      conversation={conversation}
      query={query}
      isOpen={conversation.id === openId}
      isActive={index === activeIndex}
      onActivate={activate}
      onFocus={() => focusRow(index)}
      onGone={() => {
        const next = moveInRows(rows, index, "ArrowDown") ?? moveInRows(rows, index, "ArrowUp");
        if (next !== undefined) focusRow(next);
      }}
    />
  );
  return (
    <div class="history-scroller" ref={scroller}>
      <ul
        style={{ blockSize: `${virtual.getTotalSize()}px` }}
        onKeyDown={(event) => {
          if (!(event.target instanceof HTMLAnchorElement)) return;
          if (moveFocus(event.key)) event.preventDefault();
        }}
      >
        {items.map(({ index, key, start }) => {
          const row = rows[index];
          if (row === undefined) return undefined;
          return (
            <li
              key={key}
              class={`history-${row.type}`}
              data-index={index}
              data-id={row.key}
              ref={virtual.measureElement}
              style={{ transform: `translateY(${start}px)` }}
            >
              {row.type === "heading" ? <h3>{row.label}</h3> : toRow(row.conversation, index)}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
