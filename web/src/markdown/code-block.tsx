/** A block of code: its language, a button that copies it, and colours when it is finished. */
import type { Tokens } from "marked";
import type { ComponentChild } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { CopyButton } from "../base/copy-button.tsx";
import { strings } from "../strings/strings.ts";
import { canHighlight, highlightLater } from "./highlight-queue.ts";
import { type OpenCodeToken, splitCode } from "./open-code.ts";

/** Shows a block of code, which may still grow. */
export function CodeBlock({ token, isOpen }: { token: Tokens.Code | OpenCodeToken; isOpen: boolean }) {
  const chunks = useMemo(() => ("chunks" in token ? token.chunks : splitCode(token.text)), [token]);
  const language = /^[^\s{,:]{1,30}/.exec(token.lang ?? "")?.[0] ?? "";
  const colours = useHighlighting(language.toLowerCase(), chunks, isOpen);
  return (
    <div class="markdown-code" dir="ltr">
      <div class="markdown-code-header">
        <span>{language === "" ? strings.markdown.code : language}</span>
        <CopyButton text={() => chunks.join("")} label={strings.markdown.copyCode} />
      </div>
      <pre tabIndex={0} aria-label={`${strings.markdown.code} ${language}`.trim()}>
        <code>
          {chunks.map((chunk, index) => (
            <span key={index} class="markdown-code-chunk">
              {colours?.[index] ?? chunk}
            </span>
          ))}
        </code>
      </pre>
    </div>
  );
}

function useHighlighting(
  language: string,
  chunks: readonly string[],
  isOpen: boolean,
): ComponentChild[][] | undefined {
  const [colours, setColours] = useState<{ chunks: readonly string[]; elements: ComponentChild[][] }>();
  useEffect(() => {
    if (isOpen || !canHighlight(language, chunks)) return undefined;
    return highlightLater(language, chunks, (elements) => setColours({ chunks, elements }));
  }, [language, chunks, isOpen]);
  return colours?.chunks === chunks ? colours.elements : undefined;
}
