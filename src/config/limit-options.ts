/** The limits of requests and turns, as options of the app. */
import type { AppOptions } from "../app.ts";
import { mebibyte } from "../base/sizes.ts";
import { imageShare } from "./rules.ts";
import type { Environment } from "./variables.ts";

/**
 * Returns the limits. Without authentication they are off by default: all users behind a proxy would share
 * one address's.
 */
export function toLimitOptions(environment: Environment): AppOptions["limits"] {
  const isOn = environment.AUTH !== "none";
  return {
    requestsPerMinute: (environment.LIMIT_REQUESTS_PER_MINUTE ?? (isOn ? 120 : 0)) || undefined,
    concurrentTurns: (environment.LIMIT_CONCURRENT_TURNS ?? (isOn ? 3 : 0)) || undefined,
    tokensPerDay: environment.LIMIT_TOKENS_PER_DAY || undefined,
    costPerDay: environment.LIMIT_COST_PER_DAY || undefined,
    keyCostsPerDay: environment.LIMIT_KEY_COST_PER_DAY,
    maxBodyBytes: environment.LIMIT_BODY_MIB * mebibyte,
    maxBodiesBytes: environment.LIMIT_BODIES_MIB * mebibyte,
    maxConnections: environment.LIMIT_CONNECTIONS,
    maxMessages: environment.LIMIT_MESSAGES,
    maxMessageBytes: environment.LIMIT_MESSAGE_KIB * 1024,
    maxMessageFiles: environment.LIMIT_MESSAGE_FILES,
    maxImageBytes: (environment.LIMIT_IMAGE_MIB ?? environment.LIMIT_BODY_MIB * imageShare) * mebibyte,
  };
}
