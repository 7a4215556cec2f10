/** A receiver of traces by OTLP over HTTP, as JSON. https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { closeServer } from "../network/local-port.ts";

const Value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z
    .object({ arrayValue: z.object({ values: z.array(z.object({ stringValue: z.string() })) }) })
    .transform(({ arrayValue }) => arrayValue.values.map(({ stringValue }) => stringValue)),
]);
const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, value])));
const Span = z.object({
  traceId: z.string().regex(/^[\da-f]{32}$/),
  spanId: z.string().regex(/^[\da-f]{16}$/),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  attributes: Attributes,
  status: z.object({ code: z.number().default(0), message: z.string().optional() }),
});
const Request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(
        z.object({ scope: z.object({ name: z.string(), version: z.string() }), spans: z.array(Span) }),
      ),
    }),
  ),
});
/** A span as it was received. */
export type ReceivedSpan = z.output<typeof Span> & { readonly service: unknown; readonly scope: string };

/** The receiver, from {@link OtlpReceiver.start} to {@link OtlpReceiver.close}. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly #server = createServer((request, response) => {
    void this.#take(request).then((status) =>
      response.writeHead(status, { "content-type": "application/json" }).end('{"partialSuccess":{}}'),
    );
  });

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    await closeServer(this.#server);
  }

  async #take(request: IncomingMessage): Promise<number> {
    if (request.method !== "POST" || request.url !== "/v1/traces") return 404;
    const { resourceSpans } = Request.parse(JSON.parse(await text(request)));
    for (const { resource, scopeSpans } of resourceSpans)
      for (const { scope, spans } of scopeSpans)
        this.spans.push(
          ...spans.map((span) => ({
            ...span,
            service: resource.attributes["service.name"],
            scope: scope.name,
          })),
        );
    return 200;
  }
}
