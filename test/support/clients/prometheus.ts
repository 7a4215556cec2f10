/** Reads metrics as Prometheus does. */
import assert from "node:assert/strict";

/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** All lines of one scrape. */
export class Scrape {
  readonly samples: readonly Sample[];
  /** The types of metrics by their names. */
  readonly types: ReadonlyMap<string, string>;

  /** @param text in the text format 0.0.4; each line is checked. */
  constructor(text: string) {
    assert.ok(text.endsWith("\n"));
    const lines = text.slice(0, -1).split("\n");
    this.types = new Map(
      lines.flatMap((line) => {
        const [, name = "", type = ""] = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line) ?? [];
        return type === "" ? [] : [[name, type] as const];
      }),
    );
    this.samples = lines.filter((line) => !/^# (?:HELP \w+ \S|TYPE \w+ \w+$)/.test(line)).map(parseSample);
  }

  /** Returns the sum of all samples of that name with these labels. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.find(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  /** Returns the samples of that name with these labels. */
  find(name: string, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
    return this.samples.filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  }
}

/** Resolves with the metrics at `url`. */
export async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return new Scrape(await response.text());
}

function parseSample(line: string): Sample {
  const [, name = "", , braces = "", value = ""] =
    /^([a-z]\w*)(\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[\d.]+(?:e[+-]?\d+)?)$/.exec(line) ?? [];
  assert.notEqual(name, "", line);
  const labels = Array.from(
    braces.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g),
    ([, label = "", text = ""]) =>
      [label, text.replaceAll(/\\(.)/g, (_, one) => (one === "n" ? "\n" : one))] as const,
  );
  return { name, labels: Object.fromEntries(labels), value: Number(value) };
}
