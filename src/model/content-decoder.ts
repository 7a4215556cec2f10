/** Decodes response bodies that come compressed although `identity` was requested. */
import type { IncomingHttpHeaders } from "node:http";
import type { Transform } from "node:stream";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";

/** A larger body is a bomb: the largest reply is smaller, even with one event per character. */
const maxDecodedBytes = 1024 * 1024 * 1024;

const decoders = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  br: createBrotliDecompress,
  deflate: createInflate,
  zstd: createZstdDecompress,
} as const;

/** Names that some servers give although the body is not encoded. */
const plain = /^(?:identity|none|utf-?8|binary|8bit)?$/;

/** A supported encoding. */
export type ContentEncoding = keyof typeof decoders;

/** Receives the decoded bytes, then one of `end` and `fail`. */
export interface DecoderSink {
  readonly data: (chunk: Buffer) => void;
  readonly end: () => void;
  /** The bytes do not match the encoding, or were cut off. */
  readonly fail: (error: Error) => void;
}

/** Returns the encoding of a body: `undefined` if it has none, `unknown` if it is not supported. */
export function readContentEncoding(headers: IncomingHttpHeaders): ContentEncoding | "unknown" | undefined {
  const names = [headers["content-encoding"] ?? []].flat().join(",").split(",");
  const codings = names.map((name) => name.trim().toLowerCase()).filter((name) => !plain.test(name));
  const [coding] = codings;
  if (coding === undefined) return undefined;
  return codings.length === 1 && isContentEncoding(coding) ? coding : "unknown";
}

function isContentEncoding(name: string): name is ContentEncoding {
  return Object.hasOwn(decoders, name);
}

/** Decodes one body. Only compressed bytes wait in it: decoded pieces are handed over one at a time. */
export class ContentDecoder {
  readonly #encoding: ContentEncoding;
  readonly #sink: DecoderSink;
  #stream: Transform | undefined;
  #decodedBytes = 0;

  constructor(encoding: ContentEncoding, sink: DecoderSink) {
    this.#encoding = encoding;
    this.#sink = sink;
  }

  write(chunk: Buffer): void {
    this.#stream ??= this.#open(chunk);
    this.#stream.write(chunk);
  }

  /** The body is over. */
  end(): void {
    if (this.#stream === undefined) return this.#sink.end();
    this.#stream.end();
  }

  /** Stops: the sink receives nothing more. */
  close(): void {
    this.#stream?.removeAllListeners("data").removeAllListeners("end").destroy();
  }

  #open(first: Buffer): Transform {
    // Servers differ on whether `deflate` has zlib's header.
    const isRaw = this.#encoding === "deflate" && ((first[0] ?? 0) & 0x0f) !== 8;
    const stream = isRaw ? createInflateRaw() : decoders[this.#encoding]();
    return stream
      .on("data", (chunk: Buffer) => {
        this.#decodedBytes += chunk.length;
        if (this.#decodedBytes > maxDecodedBytes) stream.destroy(new Error("more than 1 GiB when decoded"));
        else this.#sink.data(chunk);
      })
      .on("end", () => this.#sink.end())
      .on("error", (error: Error) => this.#sink.fail(error));
  }
}
