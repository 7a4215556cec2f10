/** Owns the first yardstick, a program: node:http handing the upstream's bytes on as they are. */
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
