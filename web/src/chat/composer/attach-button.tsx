/** Adds files to the message. */
import { useRef } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import { fileTypes } from "../conversation/check-files.ts";

/** A button that lets the user choose images and PDFs. */
export function AttachButton({ onFiles }: { readonly onFiles: (files: readonly File[]) => void }) {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="quiet"
        aria-label={strings.chat.attach}
        onClick={() => picker.current?.click()}
      >
        <span aria-hidden="true">+</span>
      </button>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        accept={fileTypes.join(",")}
        onChange={(event) => {
          onFiles(Array.from(event.currentTarget.files ?? []));
          event.currentTarget.value = ""; // the same file may be chosen again
        }}
      />
    </>
  );
}
