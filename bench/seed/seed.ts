/** `npm run seed`: creates a large history in the Postgres at DATABASE_URL, or removes it. */
import { parseArgs } from "node:util";
import { Client } from "pg";
import { v7 as createId } from "uuid";
import { z } from "zod";
import { ConfigError, loadConfig, type Config } from "../../src/config/config.ts";
import { AppError } from "../../src/base/errors.ts";
import { service } from "../../src/store/database/database.ts";
import { PostgresDatabase } from "../../src/store/database/postgres/postgres.ts";
import { renameTables } from "../../src/store/schema/schema.ts";
import { systemClock } from "../../src/base/clock.ts";
import { showProgress } from "./show-progress.ts";
import { analyzeRows, removeRows, seedRows, type Session } from "./seed-rows.ts";

const help = `Usage: npm run seed -- [options]

Creates conversations in the Postgres at DATABASE_URL, which must hold the schema: message trees with their
turns, as real chats leave them. Every fifth conversation belongs to one user, the others to users with 80 each.
All are marked with {"foreword_seed": true} in their metadata; no other row is changed. Creates a few thousand
messages a second, and can be stopped at any time.

Options:
  --conversations <n>  number of conversations (50,000)
  --messages <n>       total number of messages, at least one per conversation (1,000,000)
  --user <uuid>        owner of every fifth conversation (a new id, which is printed)
  --remove             removes all seeded conversations and creates none
  -h, --help           prints this help
`;

const most = 100_000_000;
const Count = z
  .string()
  .regex(/^\d{1,9}$/, { error: `must be a whole number up to ${most.toLocaleString("en")}`, abort: true })
  .transform(Number)
  .refine((count) => count >= 1 && count <= most, {
    error: `must be from 1 to ${most.toLocaleString("en")}`,
    abort: true,
  });
const Options = z
  .object({
    conversations: Count.prefault("50000"),
    messages: Count.prefault("1000000"),
    user: z.guid("must be a UUID").default(() => createId()),
    remove: z.boolean().default(false),
  })
  .refine(({ conversations, messages }) => messages >= conversations, {
    path: ["messages"],
    message: "must be at least the number of conversations",
  });

/** A problem that the user can fix: printed as one sentence, with exit code 2. */
class SeedRefusal extends Error {}

async function seed(options: z.infer<typeof Options>, { app, tables }: Config): Promise<void> {
  if (app.store.type !== "postgres")
    throw new SeedRefusal("DATABASE_URL is not set: seeding needs a Postgres database");
  await requireSchema(app.store.postgres);
  const client = new Client({ connectionString: app.store.postgres.url });
  await client.connect();
  const session: Session = { query: (text, values) => client.query(renameTables(text, tables), values) };
  try {
    if (options.remove) {
      const removed = await removeRows(session, showProgress("conversations removed"));
      print(`Removed ${removed.toLocaleString("en")} conversations.`);
      return;
    }
    const { conversations, messages, user: userId } = options;
    await seedRows(session, { conversations, messages, userId }, showProgress("messages created", messages));
    await analyzeRows(session);
    print(
      `Created ${messages.toLocaleString("en")} messages. Every fifth conversation belongs to user ${userId}.`,
    );
  } finally {
    await client.end();
  }
}

/** @throws AppError with a `store_…` code if the functions are missing or of another version. */
async function requireSchema({ url }: { readonly url: string }): Promise<void> {
  const database = new PostgresDatabase({ url, poolSize: 1 }, systemClock, () => {});
  try {
    await database.call("chat_get_conversation", { conversation_id: createId() }, service);
  } finally {
    await database.close();
  }
}

function parseOptions(): z.infer<typeof Options> | "help" {
  const { values } = parseArgs({
    options: {
      conversations: { type: "string" },
      messages: { type: "string" },
      user: { type: "string" },
      remove: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return "help";
  const parsed = Options.safeParse(values);
  if (parsed.success) return parsed.data;
  throw new SeedRefusal(
    parsed.error.issues.map(({ path, message }) => `--${path.join(".")} ${message}`).join("; "),
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Returns the message for an error that the user can fix; `undefined` for any other. */
function explain(error: unknown): string | undefined {
  if (error instanceof SeedRefusal) return error.message;
  if (error instanceof ConfigError) return error.problems.join("; ");
  if (error instanceof AppError) {
    const isOfSchema = error.code === "store_schema_missing" || error.code === "store_schema_mismatch";
    return `${error.message}${isOfSchema ? ". Apply the schema first: npm run foreword migrate" : ""}`;
  }
  if (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"))
    return `${error.message}\n\n${help}`;
  return undefined;
}

try {
  const options = parseOptions();
  if (options === "help") process.stdout.write(help);
  else await seed(options, loadConfig());
} catch (error) {
  const told = explain(error);
  if (told === undefined) throw error;
  process.stderr.write(`seed: ${told}\n`);
  process.exitCode = 2;
}
