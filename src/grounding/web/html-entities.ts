/** Plain text of the snippets of search engines, which may hold HTML. */
import { Parser } from "htmlparser2";

/** Returns the text of a piece of HTML on one line, without its elements. */
export function decodeHtmlText(html: string): string {
  if (!/[<&]/.test(html)) return html.replaceAll(/\s+/g, " ").trim();
  let text = "";
  const parser = new Parser({ ontext: (piece) => void (text += piece) }, { decodeEntities: true });
  parser.end(html);
  return text.replaceAll(/\s+/g, " ").trim();
}
