/** Requests of one of the operator's servers, which has a key and names the user it acts for. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { readResponse, type AppResponse, type RunningApp } from "./start-app.ts";

const key = randomUUID();
/** The settings of an app that accepts its key. */
export const keyedVariables = { AUTH: "keys", API_KEYS: key };
export const authorization = `Bearer ${key}`;

/** The code of a problem. */
export function codeOf({ body }: AppResponse): string {
  return z.object({ code: z.string() }).parse(JSON.parse(body)).code;
}

/** Sends a request to `app` for `userId`. */
export async function askFor(
  userId: string,
  app: RunningApp,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<AppResponse> {
  const url = `${path}${path.includes("?") ? "&" : "?"}userId=${userId}`;
  return await readResponse(await app.open(method, url, body, { authorization, ...headers }));
}

/** Runs a turn of `userId`, with one message unless `more` overrides it. */
export async function chatFor(
  userId: string,
  app: RunningApp,
  more: object = {},
  headers: Record<string, string> = {},
): Promise<AppResponse> {
  const body = { messages: [{ sender: "user", text: "Hi" }], userId, ...more };
  return await askFor(userId, app, "POST", "/stream-chat", body, headers);
}
