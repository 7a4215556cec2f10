/** The client of the server, from its source: Node, which runs the tests, knows no aliases. */
export * from "../../../packages/foreword-client/src/client.ts";
export * from "../../../packages/foreword-client/src/knowledge/knowledge.ts";
