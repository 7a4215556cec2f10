#!/usr/bin/env bash
# @opentelemetry/api: a program that sets tracing up with one minor version, and a library that brings a newer one.
# Guess: every 1.x works with every other 1.x, as semantic versions promise; or else there is a warning.
# Found: the spans of the library go nowhere if its copy is the newer one. It takes the registered provider for
# missing, and nothing is printed. With the older copy in the library everything works. So a library asks for the
# oldest minor version that it needs, and best as a peer dependency, so that there is one copy.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent older@npm:@opentelemetry/api@1.9.0 newer@npm:@opentelemetry/api@1.10.0
cat > run.mjs <<'JS'
const [registering, using] = process.argv.slice(2);
const program = await import(registering);
const library = await import(using);
const spans = [];
const isRegistered = program.trace.setGlobalTracerProvider({
  getTracer: () => ({
    startSpan(name) {
      spans.push(name);
      return program.trace.wrapSpanContext(program.INVALID_SPAN_CONTEXT);
    },
  }),
});
library.trace.getTracer("library").startSpan("work").end();
console.log(JSON.stringify({ registering, using, isRegistered, spans }));
JS
found=$(for pair in "older older" "older newer" "newer older"; do node run.mjs $pair; done 2>&1)
printf '@opentelemetry/api, older: %s, newer: %s\n%s\n' \
  "$(sed -n 's/^  "version": "\(.*\)",/\1/p' node_modules/older/package.json)" \
  "$(sed -n 's/^  "version": "\(.*\)",/\1/p' node_modules/newer/package.json)" "$found"
expected='{"registering":"older","using":"older","isRegistered":true,"spans":["work"]}
{"registering":"older","using":"newer","isRegistered":true,"spans":[]}
{"registering":"newer","using":"older","isRegistered":true,"spans":["work"]}'
[ "$found" = "$expected" ] && echo "as found" || { echo changed; exit 1; }
