/** The files of a message before it is sent. */
import { useEffect, useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import type { Draft } from "./use-draft.ts";

/** Shows files with previews, and why others cannot be sent. */
export function AddedFiles({ files, problems, remove }: Pick<Draft, "files" | "problems" | "remove">) {
  const { chat } = strings;
  return (
    <>
      {files.length > 0 && (
        <ul class="added-files" aria-label={chat.attached}>
          {files.map((file, index) => (
            <li key={`${file.name} ${index}`}>
              <Preview file={file} />
              <bdi>{file.name}</bdi>
              <button
                type="button"
                class="quiet"
                aria-label={chat.removeFile(file.name)}
                onClick={() => remove(file)}
              >
                <span aria-hidden="true">×</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <div role="alert">
        {problems.map(({ type, name }) => (
          <p key={`${type} ${name}`} class="problem">
            {type === "tooMany" ? chat.tooMany : chat[type](name)}
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
