/** The documents of a knowledge base, with their states, and the files that are being added. */
import { useEffect, useRef, useState } from "preact/hooks";
import { toErrorWords } from "../chat/messages/error-words.ts";
import type { KnowledgeDocument } from "../base/foreword-client.ts";
import { useStore } from "../base/use-store.ts";
import { language, strings } from "../strings/strings.ts";
import { ConfirmedDeletion } from "./confirmed-deletion.tsx";
import type { DocumentList, DocumentProblem, Upload } from "./document-list.ts";

/** Shows them, newest first, and follows them while they are read. */
export function DocumentRows({ list }: { readonly list: DocumentList }) {
  const { knowledge: words } = strings;
  const state = useStore(list.store, (current) => current);
  useEffect(() => {
    void list.show();
    return () => list.hide();
  }, [list]);
  const { phase, documents, uploads, problem, hasMore } = state;
  return (
    <>
      <StateAnnouncer documents={documents} />
      <div role="alert">{problem !== undefined && <p class="problem">{toProblemWords(problem)}</p>}</div>
      {phase === "loading" && <p class="muted">{words.loading}</p>}
      {phase === "failed" && (
        <p>
          {words.failed}{" "}
          <button type="button" onClick={() => void list.show()}>
            {words.tryAgain}
          </button>
        </p>
      )}
      {phase === "ready" && documents.length === 0 && uploads.length === 0 && (
        <p class="muted">{words.none}</p>
      )}
      <ul class="knowledge-documents" aria-label={words.documents(list.name)}>
        {uploads.map((upload) => (
          <UploadRow key={upload.key} list={list} upload={upload} />
        ))}
        {documents.map((document) => (
          <DocumentRow key={document.id} list={list} document={document} />
        ))}
      </ul>
      {hasMore && (
        <button type="button" onClick={() => void list.loadMore()}>
          {words.more}
        </button>
      )}
    </>
  );
}

function UploadRow({ list, upload }: { readonly list: DocumentList; readonly upload: Upload }) {
  const { knowledge: words } = strings;
  const { file, share, problem } = upload;
  return (
    <li>
      <span class="knowledge-name">
        <bdi>{file.name}</bdi>
      </span>
      {problem === undefined ? (
        <span class="muted">
          {words.sending(Math.floor(share * 100))} <progress value={share} max={1} aria-label={file.name} />
        </span>
      ) : (
        <>
          <span class="problem" role="alert">
            {words.refused} {toProblemWords(problem)}
          </span>
          <button
            type="button"
            class="quiet"
            aria-label={words.dismiss(file.name)}
            onClick={() => list.dismiss(upload)}
          >
            <span aria-hidden="true">×</span>
          </button>
        </>
      )}
    </li>
  );
}

interface DocumentProps {
  readonly list: DocumentList;
  readonly document: KnowledgeDocument;
}

function DocumentRow({ list, document }: DocumentProps) {
  const { knowledge: words } = strings;
  const { name, state, pages, pagesRead, error } = document;
  return (
    <li>
      <span class="knowledge-name">
        <bdi>{name}</bdi> <span class="muted">{toSize(document.sizeBytes)}</span>
      </span>
      <span class={error === null ? "muted" : "problem"}>
        {toStateWords(document)}{" "}
        {state === "waiting" && pages !== null && pages > 0 && (
          <progress value={pagesRead} max={pages} aria-label={name} />
        )}
      </span>
      <ConfirmedDeletion
        label={words.delete(name)}
        sign="×"
        question={words.deleteQuestion(name)}
        onConfirm={() => void list.delete(document)}
      />
    </li>
  );
}

/** Tells users of screen readers when a document has been read, or cannot be. */
function StateAnnouncer({ documents }: { readonly documents: readonly KnowledgeDocument[] }) {
  const [said, setSaid] = useState("");
  const waiting = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const changed = documents.filter(({ id, state }) => state !== "waiting" && waiting.current.has(id));
    waiting.current = new Set(documents.filter(({ state }) => state === "waiting").map(({ id }) => id));
    if (changed.length > 0)
      setSaid(changed.map((document) => `${document.name}: ${toStateWords(document)}`).join(" "));
  }, [documents]);
  return (
    <div class="visually-hidden" role="status">
      {said}
    </div>
  );
}

function toStateWords({ state, pagesRead, pages, passages, error }: KnowledgeDocument): string {
  const { knowledge: words } = strings;
  if (state === "ready") return words.ready(passages);
  if (state === "failed") return error === null ? words.unread : `${words.unread} ${toProblemWords(error)}`;
  return pagesRead === 0 ? words.waiting : words.reading(pagesRead, pages);
}

/** Returns the sentence for a problem. */
function toProblemWords({ code, message }: DocumentProblem): string {
  const words: Readonly<Record<string, string>> = strings.knowledge.errors;
  if (Object.hasOwn(words, code)) return words[code] ?? message;
  return toErrorWords(code, strings);
}

function toSize(bytes: number): string {
  const isLarge = bytes >= 1_000_000;
  const unit = isLarge ? "megabyte" : "kilobyte";
  const value = isLarge ? bytes / 1_000_000 : Math.max(1, bytes / 1_000);
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit,
    maximumFractionDigits: isLarge ? 1 : 0,
  }).format(value);
}
