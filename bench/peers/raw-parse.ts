/**
 * The second yardstick, a program: the least code that reads events and writes text, by hand on node:http.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { StringDecoder } from "node:string_decoder";
import { listenAndTell } from "./peer-program.ts";
import { askUpstream } from "./raw-upstream.ts";

/** The fields that are read of an event. None is checked: this is a yardstick. */
interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string } }[];
}

function relay(upstream: IncomingMessage, response: ServerResponse): void {
  const decoder = new StringDecoder("utf8");
  let pending = "";
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  upstream.on("data", (bytes: Buffer) => {
    pending += decoder.write(bytes);
    let start = 0;
    for (let end = pending.indexOf("\n\n"); end >= 0; end = pending.indexOf("\n\n", start)) {
      const data = pending.slice(start + "data: ".length, end);
      start = end + 2;
      if (data === "[DONE]") continue;
      const { choices }: Chunk = JSON.parse(data);
      const content = choices[0]?.delta.content;
      if (content !== undefined && content !== "" && !response.write(content)) upstream.pause();
    }
    pending = pending.slice(start);
  });
  response.on("drain", () => upstream.resume());
  upstream.on("end", () => response.end());
  upstream.on("error", () => response.destroy());
}

const server = createServer((incoming, response) =>
  askUpstream(incoming, response, (upstream) => relay(upstream, response)),
);

listenAndTell(server, "");
