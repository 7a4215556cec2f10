/** Names files that the page saves. */

/** The most UTF-16 units of a file's name, without its ending. */
const maxLength = 80;

/** Names that Windows gives to devices. */
const deviceName = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?$/i;

/** Returns a title as the name of a file that every system takes, or `chat` if nothing is left of it. */
export function toFileName(title: string, ending: string): string {
  const plain = title
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\ufffd<>:"/\\|?*%~]/gu, " ")
    .replaceAll(/\s+/g, " ")
    .replace(/^[ .]+/, "")
    .slice(0, maxLength)
    .replace(/[\uD800-\uDBFF]$/, "")
    .replace(/[ .]+$/, "");
  return `${plain === "" || deviceName.test(plain) ? "chat" : plain}.${ending}`;
}
