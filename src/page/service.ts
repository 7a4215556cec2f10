/** The short description of the server for clients that open its address. */
import { readVersion } from "../http/package-version.ts";
import type { PageConfig } from "./page-config.ts";

/** What is here, and where to read more. */
export interface ServiceDescription {
  readonly name: "Foreword";
  readonly version: string;
  readonly description: string;
  /** How requests are authenticated. */
  readonly auth: PageConfig["auth"];
  /** The paths of the main routes. */
  readonly links: {
    readonly docs: "/docs";
    readonly openapi: "/openapi.json";
    readonly health: "/healthz";
    readonly readiness: "/readyz";
    readonly chat: "/stream-chat";
    readonly conversations: "/conversations";
    readonly usage: "/usage";
    readonly models: "/v1/models";
    readonly openai: "/v1";
    readonly aiSdk: "/api/chat";
    readonly agUi: "/ag-ui";
  };
}

/** Returns the description of a server with `auth`. */
export function describeService(auth: PageConfig["auth"]): ServiceDescription {
  return {
    name: "Foreword",
    version: readVersion(),
    description: "A streaming chat backend: a short plan, a boundary, then the answer.",
    auth,
    links: {
      docs: "/docs",
      openapi: "/openapi.json",
      health: "/healthz",
      readiness: "/readyz",
      chat: "/stream-chat",
      conversations: "/conversations",
      usage: "/usage",
      models: "/v1/models",
      openai: "/v1",
      aiSdk: "/api/chat",
      agUi: "/ag-ui",
    },
  };
}
