#!/usr/bin/env bash
# @opentelemetry/sdk-trace 3: `new SimpleSpanProcessor(exporter)`, as in every guide for version 2.
# Guess: it exports, or throws because the constructor changed.
# Found: it accepts the exporter silently and exports nothing, until `forceFlush()` fails with a TypeError;
# version 3 expects `new SimpleSpanProcessor({exporter})`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null && npm install --no-audit --no-fund --silent @opentelemetry/api@1.10.0 @opentelemetry/sdk-trace@3.1.1
cat > run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
const count = async (toArgument) => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor(toArgument(exporter))] });
  provider.getTracer("t").startSpan("turn").end();
  await new Promise((resolve) => setImmediate(resolve));
  return exporter.getFinishedSpans().length;
};
const [bare, named] = [await count((exporter) => exporter), await count((exporter) => ({ exporter }))];
console.log("@opentelemetry/sdk-trace", JSON.parse(readFileSync("node_modules/@opentelemetry/sdk-trace/package.json", "utf8")).version);
console.log("spans exported: SimpleSpanProcessor(exporter)", bare, "· SimpleSpanProcessor({exporter})", named);
const asFound = bare === 0 && named === 1;
console.log(asFound ? "as found" : "changed");
process.exit(asFound ? 0 : 1);
JS
node run.mjs
