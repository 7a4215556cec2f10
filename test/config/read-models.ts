/** Reads files of models as the configuration does. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ConfigError, parseConfig, type Config } from "../../src/config/config.ts";
import type { ModelSettings } from "../../src/model/settings.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";

export const variables: Readonly<Record<string, string>> = {
  FAST_KEY: "s3cret-of-fast",
  SLOW_KEY: '"s3cret-of-slow"',
  EMPTY_KEY: " ",
  ODD_KEY: "sk-…",
};
export const key = { apiKeyVariable: "FAST_KEY" };
export const azure = { endpoint: "https://x.openai.azure.com", apiVersion: "2024-10-21" };
export const userId = "4D1F8A0E-0000-4000-8000-00000000000A";

/** A file that was read: its configuration, or its problems with the file's path cut off. */
interface Read {
  readonly config?: Config;
  readonly models: readonly ModelSettings[];
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
  /** The message of the error. */
  readonly message?: string;
}

/** Reads a file with `content`. */
export async function read(
  context: TestContext,
  content: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<Read> {
  const file = join(await makeTestFolder(context), "models.json");
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  const withoutPath = (text: string): string => text.replace("MODELS_FILE: ", "").replace(`${file}: `, "");
  try {
    const config = parseConfig({ ...variables, ...more, MODELS_FILE: file });
    const { model } = config.app;
    const models = model.type === "openai" ? model.models : [];
    return { config, models, warnings: config.warnings.map(withoutPath), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { models: [], warnings: [], problems: error.problems.map(withoutPath), message: error.message };
  }
}

/** Returns the problems of a file with `entries`. */
export async function refuse(
  context: TestContext,
  entries: readonly unknown[],
  more?: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  return (await read(context, { models: entries }, more)).problems;
}
