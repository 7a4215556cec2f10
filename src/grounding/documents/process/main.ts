/** The process that reads documents for a server: it starts one more for each. It ends with its server. */
import { AppError } from "../../../base/errors.ts";
import type { DocumentPage } from "../document.ts";
import { readDocument } from "../read-document.ts";
import { ReadingRequest, ReadingResponse } from "./messages.ts";

/** A document that is being read. */
interface Reading {
  readonly pieces: Uint8Array[];
  readonly closing: AbortController;
  readonly start: (bytes: Uint8Array, signal: AbortSignal) => AsyncGenerator<DocumentPage>;
  pages: AsyncGenerator<DocumentPage> | undefined;
}

const readings = new Map<number, Reading>();

process.on("message", (message) => {
  const request = ReadingRequest.parse(message);
  const { id } = request;
  if (request.type === "open") {
    const { source, limits } = request;
    readings.set(id, {
      pieces: [],
      closing: new AbortController(),
      start: (bytes, signal) => readDocument({ ...source, bytes }, limits, signal),
      pages: undefined,
    });
    return;
  }
  const reading = readings.get(id);
  if (reading === undefined) return;
  if (request.type === "bytes") reading.pieces.push(request.bytes);
  else if (request.type === "next") void readNext(reading).then((read) => process.send?.({ id, ...read }));
  else {
    readings.delete(id);
    reading.closing.abort();
    void reading.pages?.return(undefined).catch(() => {}); // nothing waits for it any more
  }
});

process.once("disconnect", () => {
  for (const { closing } of readings.values()) closing.abort();
  process.exit();
});

async function readNext(reading: Reading): Promise<Omit<ReadingResponse, "id">> {
  try {
    reading.pages ??= reading.start(Buffer.concat(reading.pieces.splice(0)), reading.closing.signal);
    const next = await reading.pages.next();
    if (next.done === true) return {};
    return { page: { ...next.value, headings: [...next.value.headings] } };
  } catch (error) {
    const code = error instanceof AppError ? error.code : undefined;
    const failure = ReadingResponse.shape.failure.safeParse(code);
    return { failure: failure.data ?? "internal_error" };
  }
}
