/** Owns text on its way into a page: what is not marked up already is escaped. */

/** Markup, whose every text was escaped. */
export class Html {
  readonly markup: string;

  private constructor(markup: string) {
    this.markup = markup;
  }

  /** Returns the markup of a template; what stands in it is escaped, unless it is markup itself. */
  static of(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
    return new Html(String.raw({ raw: strings }, ...values.map(toMarkup)));
  }
}

/** What may stand in a template; nothing is nothing. */
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

/** Returns a sentence with what stands in backticks as code. */
export function toProse(text: string): Html {
  const pieces = text.split("`");
  return Html.of`${pieces.map((piece, index) => (index % 2 === 1 ? Html.of`<code>${piece}</code>` : piece))}`;
}
