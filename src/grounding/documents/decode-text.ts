/** Bytes of texts whose encoding nothing tells. */

const byteOrderMarks: readonly (readonly [readonly number[], string])[] = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];
/** Control characters that no text has. */
// eslint-disable-next-line no-control-regex -- They are what is looked for.
const binary = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/;

/**
 * Decodes UTF-8, UTF-16 with a byte order mark, and else Windows-1252, or the encoding that the text
 * declares, if it is one.
 * @param declared a label of the Encoding Standard, like `shift_jis`; an unknown one does not count.
 * @returns `undefined` if these are no bytes of a text.
 * @see https://encoding.spec.whatwg.org/
 */
export function decodeText(bytes: Uint8Array, declared?: string): string | undefined {
  return decode(bytes, declared, false);
}

/** Decodes the first bytes of a text as {@link decodeText} does; they may end within a character. */
export function decodeHead(bytes: Uint8Array): string | undefined {
  return decode(bytes, undefined, true);
}

function decode(bytes: Uint8Array, declared: string | undefined, isCut: boolean): string | undefined {
  const decodeAs = (label: string | undefined): string | undefined => {
    if (label === undefined) return undefined;
    try {
      return new TextDecoder(label, { fatal: true }).decode(bytes, { stream: isCut });
    } catch {
      return undefined;
    }
  };
  const marked = byteOrderMarks.find(([mark]) => mark.every((byte, index) => bytes[index] === byte));
  const text =
    marked === undefined
      ? (decodeAs("utf-8") ?? decodeAs(declared) ?? decodeAs("windows-1252"))
      : decodeAs(marked[1]);
  return text === undefined || binary.test(text) ? undefined : text;
}
