/** The panel of the user's knowledge bases: documents are added, read and deleted. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { browserClock } from "../base/clock.ts";
import { sendBy } from "../base/file-sending.ts";
import { strings } from "../strings/strings.ts";
import "../styles/knowledge.css";
import { AddDocuments } from "./add-documents.tsx";
import { ConfirmedDeletion } from "./confirmed-deletion.tsx";
import { DocumentList } from "./document-list.ts";
import { DocumentRows } from "./document-rows.tsx";
import { sendFile } from "./send-file.ts";
import type { KnowledgeBase } from "../base/foreword-client.ts";
import type { UserBases } from "./user-bases.ts";

interface PanelProps {
  readonly knowledge: UserBases;
  /** The knowledge base that questions are answered with. */
  readonly chosen: string | undefined;
  readonly bases: readonly KnowledgeBase[];
  readonly choose: (name: string | undefined) => void;
  readonly onClose: () => void;
}

/** The lists of each user: files go on being sent while the panel is closed. */
const lists = new WeakMap<UserBases, Map<string, DocumentList>>();

/** A dialog over the page. */
export function KnowledgePanel({ knowledge, bases, chosen, choose, onClose }: PanelProps) {
  const { knowledge: words } = strings;
  const dialog = useRef<HTMLDialogElement>(null);
  const { hasFailed, refresh } = useRefresh(knowledge);
  const [picked, pick] = useState<{ readonly name: string | undefined }>();
  const { name } = picked ?? { name: chosen ?? bases[0]?.name };
  const list = name === undefined ? undefined : toList(knowledge, name);
  useEffect(() => dialog.current?.showModal(), []);
  const add = async (files: readonly File[], base: string): Promise<void> => {
    pick({ name: base });
    await toList(knowledge, base).add(files);
    const isThere = knowledge.store.state?.some((known) => known.name === base) === true;
    if (isThere && chosen === undefined) choose(base);
  };
  const remove = async (removed: DocumentList): Promise<void> => {
    if (!(await removed.deleteAll())) return;
    lists.get(knowledge)?.delete(removed.name);
    await refresh();
    pick({ name: knowledge.store.state?.[0]?.name });
  };
  return (
    <dialog class="knowledge" ref={dialog} aria-label={words.title} onClose={onClose}>
      <div class="knowledge-head">
        <h2>{words.title}</h2>
        <button type="button" aria-label={words.close} onClick={() => dialog.current?.close()}>
          <span aria-hidden="true">×</span>
        </button>
      </div>
      <p class="muted">{words.about}</p>
      {hasFailed && list === undefined && (
        <p role="alert" class="problem">
          {words.failed}{" "}
          <button type="button" onClick={() => void refresh()}>
            {words.tryAgain}
          </button>
        </p>
      )}
      <AddDocuments
        names={bases.map((base) => base.name)}
        name={name}
        onName={(wanted) => pick({ name: wanted })}
        onFiles={(files, base) => void add(files, base)}
      />
      {list !== undefined && <KnownBase key={list.name} list={list} onDelete={() => void remove(list)} />}
    </dialog>
  );
}

/** Reads the user's knowledge bases again, now and when `refresh` is called. */
function useRefresh(knowledge: UserBases) {
  const [hasFailed, setFailed] = useState(false);
  const refresh = useCallback(async (): Promise<void> => {
    await knowledge.refresh().then(
      () => setFailed(false),
      () => setFailed(true),
    );
  }, [knowledge]);
  useEffect(() => void refresh(), [refresh]);
  return { hasFailed, refresh };
}

function KnownBase({ list, onDelete }: { readonly list: DocumentList; readonly onDelete: () => void }) {
  const { knowledge: words } = strings;
  return (
    <>
      <DocumentRows list={list} />
      <ConfirmedDeletion
        label={words.deleteBase}
        question={words.deleteBaseQuestion(list.name)}
        onConfirm={onDelete}
      />
    </>
  );
}

/** Returns the list of a knowledge base, the same one each time. */
function toList(knowledge: UserBases, name: string): DocumentList {
  const known = lists.get(knowledge) ?? new Map<string, DocumentList>();
  lists.set(knowledge, known);
  const list = known.get(name) ?? createList(knowledge, name);
  known.set(name, list);
  return list;
}

function createList(knowledge: UserBases, name: string): DocumentList {
  const services = {
    bases: knowledge.client,
    clock: browserClock,
    watch: (file: File, onProgress: (share: number) => void) =>
      sendBy(file, async (input, init) => await sendFile(input, init, onProgress)),
    onChange: async () => await knowledge.refresh().catch(() => {}), // what it has stays
  };
  const isKnown = knowledge.store.state?.some((base) => base.name === name) !== false;
  return new DocumentList(services, name, !isKnown);
}
