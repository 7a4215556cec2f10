/** HTML documents: their headers, and templates that escape their values. */

/** Headers of every document, beside a policy of its own. */
export const documentHeaders: Readonly<Record<string, string>> = {
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=(), display-capture=()",
};

/** Markup whose texts are escaped. */
export class Html {
  readonly markup: string;

  private constructor(markup: string) {
    this.markup = markup;
  }

  /** Returns the markup of a template. Its values are escaped, unless they are markup themselves. */
  static of(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
    return new Html(String.raw({ raw: strings }, ...values.map(toMarkup)));
  }
}

/** A value of a template. `undefined` is left out. */
export type HtmlValue = string | number | Html | readonly HtmlValue[] | undefined;

function toMarkup(value: HtmlValue): string {
  if (value === undefined) return "";
  if (value instanceof Html) return value.markup;
  if (typeof value === "string" || typeof value === "number") return escape(String(value));
  return value.map(toMarkup).join("");
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Returns a sentence whose words in backticks are code. */
export function toProse(text: string): Html {
  const pieces = text.split("`");
  return Html.of`${pieces.map((piece, index) => (index % 2 === 1 ? Html.of`<code>${piece}</code>` : piece))}`;
}
