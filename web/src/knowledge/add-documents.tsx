/** The choice of the knowledge base that is shown, and of files for it. */
import { useId, useRef, useState } from "preact/hooks";
import { strings } from "../strings/strings.ts";

/** The endings of the files that the server reads. */
const accepted = ".pdf,.docx,.html,.htm,.md,.markdown,.csv,.txt";

interface AddProps {
  readonly names: readonly string[];
  /** The one that is shown; `undefined`: a new one. */
  readonly name: string | undefined;
  readonly onName: (name: string | undefined) => void;
  readonly onFiles: (files: readonly File[], name: string) => void;
}

/** Shows both; files can be dropped, too. */
export function AddDocuments({ names, name, onName, onFiles }: AddProps) {
  const { knowledge: words } = strings;
  const ids = { base: useId(), newName: useId() };
  const [newName, setNewName] = useState(words.firstName);
  const base = name ?? toBaseName(newName);
  const shown = name === undefined || names.includes(name) ? names : [...names, name];
  const add = (files: readonly File[]): void => {
    if (files.length > 0 && base !== "") onFiles(files, base);
  };
  return (
    <div
      class="knowledge-add"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        add(Array.from(event.dataTransfer?.files ?? []));
      }}
    >
      {shown.length > 0 && (
        <>
          <label for={ids.base}>{words.base}</label>
          <select
            id={ids.base}
            value={name ?? ""}
            onChange={({ currentTarget: { value } }) => onName(value === "" ? undefined : value)}
          >
            {shown.map((known) => (
              <option key={known} value={known}>
                {known}
              </option>
            ))}
            <option value="">{words.newBase}</option>
          </select>
        </>
      )}
      {name === undefined && (
        <>
          <label for={ids.newName}>{words.newName}</label>
          <input
            id={ids.newName}
            maxLength={200}
            value={newName}
            onInput={({ currentTarget }) => setNewName(currentTarget.value)}
          />
        </>
      )}
      <FilesButton isDisabled={base === ""} onFiles={add} />
      <p class="muted">{words.types}</p>
    </div>
  );
}

interface FilesProps {
  readonly isDisabled: boolean;
  readonly onFiles: (files: readonly File[]) => void;
}

function FilesButton({ isDisabled, onFiles }: FilesProps) {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class="primary" disabled={isDisabled} onClick={() => picker.current?.click()}>
        {strings.knowledge.add}
      </button>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        accept={accepted}
        onChange={(event) => {
          onFiles(Array.from(event.currentTarget.files ?? []));
          event.currentTarget.value = ""; // the same file may be chosen again
        }}
      />
    </>
  );
}

/** Returns a name as the server keeps it. */
function toBaseName(text: string): string {
  return text.normalize("NFC").replaceAll(/\s+/g, " ").trim();
}
