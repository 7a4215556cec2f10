/** Prints how far the estimated tokens of texts in many languages are from a real tokenizer's. */
import { countCorpus } from "../test/support/model/token-corpus.ts";

const counted = countCorpus();
const toPercent = (share: number): string => `${share < 0 ? "−" : "+"}${Math.abs(share * 100).toFixed(1)} %`;
const mean = counted.reduce((sum, { error }) => sum + Math.abs(error), 0) / counted.length;
const rows = counted.map(({ name, bytes, tokens, estimated, error }) => {
  const perToken = (bytes / tokens).toFixed(2);
  const byFour = toPercent(bytes / 4 / tokens - 1);
  return `| ${name} | ${perToken} | ${tokens} | ${estimated} | ${toPercent(error)} | ${byFour} |`;
});
process.stdout.write(
  `| text | bytes a token | tokens (o200k) | estimated | error | error of 4 bytes a token |
|---|---:|---:|---:|---:|---:|
${rows.join("\n")}

mean error ${(mean * 100).toFixed(1)} %
`,
);
