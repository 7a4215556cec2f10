/** An image or a PDF of a message. */
import { useEffect, useState } from "preact/hooks";
import { usePage } from "../../base/page-context.ts";
import { strings } from "../../strings/strings.ts";
import type { ShownFile } from "../conversation/message.ts";

/** Shows an image, or a link to a PDF, which is loaded through the client. */
export function MessageFile({ shown }: { readonly shown: ShownFile }) {
  const { client } = usePage();
  const [url, setUrl] = useState<string | undefined>();
  const [isMissing, setMissing] = useState(false);
  useEffect(() => {
    const controller = new AbortController();
    let made: string | undefined;
    const load = async (): Promise<void> => {
      try {
        const { signal } = controller;
        const blob = "file" in shown ? shown.file : await client.file(shown.url, { signal });
        if (signal.aborted) return;
        made = URL.createObjectURL(new Blob([blob], { type: shown.mediaType }));
        setUrl(made);
      } catch {
        if (!controller.signal.aborted) setMissing(true);
      }
    };
    void load();
    return () => {
      controller.abort();
      if (made !== undefined) URL.revokeObjectURL(made);
    };
  }, [client, shown]);
  const isImage = shown.mediaType.startsWith("image/");
  const name = shown.name ?? (isImage ? strings.chat.image : strings.chat.document);
  if (isMissing) return <span class="file">{`${name}: ${strings.chat.fileMissing}`}</span>;
  if (isImage) return <img class="file-image" src={url} alt={name} />;
  if (url === undefined) return <span class="file">{name}</span>;
  return (
    <a class="file" href={url} target="_blank" rel="noreferrer">
      {name}
    </a>
  );
}
