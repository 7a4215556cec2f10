/** The sources of a reply, and what was searched for them. */
import type { RefObject } from "preact";
import { parseAddress } from "../../markdown/link-address.ts";
import { strings } from "../../strings/strings.ts";
import type { ReplyContent, Search, Source } from "../conversation/message.ts";

interface ListProps {
  readonly content: ReplyContent;
  readonly list: RefObject<HTMLDetailsElement | null>;
}

/** Shows the sources, folded, with their texts; and searches without success, in words. */
export function SourceList({ content, list }: ListProps) {
  const { searches, sources } = content;
  return (
    <>
      {searches.map((search, index) => {
        const words = toWords(search);
        return (
          words !== undefined && (
            <p key={index} class="muted search">
              {words}
            </p>
          )
        );
      })}
      {sources.length > 0 && (
        <details class="item sources" ref={list}>
          <summary>{strings.chat.sourceCount(sources.length)}</summary>
          <ol>
            {sources.map((source) => (
              <li key={source.sourceId}>
                <SourceView source={source} />
              </li>
            ))}
          </ol>
        </details>
      )}
    </>
  );
}

/** Opens the source `number` in a list, and moves the focus there. */
export function openSource(list: HTMLDetailsElement | null, number: number): void {
  const source = list?.querySelector<HTMLDetailsElement>(`details[data-number="${number}"]`);
  if (list === null || source === null || source === undefined) return;
  list.open = source.open = true;
  source.querySelector("summary")?.focus();
}

function SourceView({ source }: { readonly source: Source }) {
  const { number, title, heading, quote } = source;
  const url = source.url === null ? undefined : parseAddress(source.url);
  const place = toPlace(source, url);
  return (
    <details data-number={number}>
      <summary>
        <span class="source-number">{number}</span> <bdi>{title}</bdi>
        {place !== undefined && (
          <span class="muted">
            {" "}
            <bdi>{place}</bdi>
          </span>
        )}
      </summary>
      {heading !== null && (
        <p class="muted" dir="auto">
          {heading}
        </p>
      )}
      {quote !== "" && <blockquote dir="auto">{quote}</blockquote>}
      {url !== undefined && (
        <p>
          <a href={url.href} target="_blank" rel="noopener noreferrer" dir="ltr">
            {url.href}
          </a>
        </p>
      )}
    </details>
  );
}

/** The host of a page, or the page of a document. */
function toPlace({ page }: Source, url: URL | undefined): string | undefined {
  if (url !== undefined) return url.host;
  return page === null ? undefined : strings.chat.pageNumber(page);
}

function toWords({ kind, query, status }: Search): string | undefined {
  const { searchFailed, searchNothing } = strings.chat;
  if (status === "found") return undefined;
  return status === "failed" ? searchFailed[kind] : searchNothing[kind](query);
}
