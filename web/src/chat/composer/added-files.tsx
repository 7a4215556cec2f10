/** The files of a message before it is sent. */
import { useEffect, useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import type { Draft, DraftState } from "../conversation/drafts.ts";

/** Shows files with previews, why others cannot be sent, and whether the text is not kept. */
export function AddedFiles({ draft, state }: { readonly draft: Draft; readonly state: DraftState }) {
  const { chat } = strings;
  const { files, problems } = state;
  return (
    <>
      {files.length > 0 && (
        <ul class="added-files" aria-label={chat.attached}>
          {files.map((kept) => (
            <li key={kept.id}>
              <Preview file={kept.file} />
              <bdi>{kept.file.name}</bdi>
              <button
                type="button"
                class="quiet"
                aria-label={chat.removeFile(kept.file.name)}
                onClick={() => draft.remove(kept)}
              >
                <span aria-hidden="true">×</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <div role="status">{!state.isKept && <p class="muted">{chat.notKept}</p>}</div>
      <div role="alert">
        {problems.map(({ type, name }) => (
          <p key={`${type} ${name}`} class="problem">
            {type === "tooMany" || type === "lost" ? chat[type] : chat[type](name)}
          </p>
        ))}
      </div>
    </>
  );
}

function Preview({ file }: { readonly file: File }) {
  const [url, setUrl] = useState<string | undefined>();
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  if (!file.type.startsWith("image/")) return <span class="file-kind">PDF</span>;
  return <img src={url} alt="" />;
}
