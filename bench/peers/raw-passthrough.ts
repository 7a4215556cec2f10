/** The first yardstick, a program: node:http passing the upstream's bytes through unchanged. */
import { createServer } from "node:http";
import { listenAndTell } from "./peer-program.ts";
import { askUpstream } from "./raw-upstream.ts";

const server = createServer((incoming, response) => {
  askUpstream(incoming, response, (upstream) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    upstream.pipe(response);
  });
});

listenAndTell(server, "");
