/** The form of the file of models, whose fields the published schema describes. */
import { z } from "zod";

/** The suffix that clients add to a model's name for a plan; no name may end with it. */
const planSuffix = "+plan";
/** The longest name with which `/v1` can ask for a plan, in characters. */
const maxNameLength = 250;
const maxTokens = 1_000_000_000;
const maxWaitMs = 3_600_000;
const maxPrice = 1_000_000;
const maxItems = 1_000;
const maxUsers = 10_000;

const text = z.string({ error: orRequired("must be a text") });
const filled = (maxLength: number) =>
  text
    .min(1, "must not be empty")
    .max(maxLength, `must be at most ${maxLength} characters`)
    .refine((value) => !/\p{Cc}/u.test(value), "must not contain control characters")
    .refine((value) => value.isWellFormed(), "must be well-formed Unicode")
    .refine((value) => value.trim() === value, "must not start or end with white space")
    .meta({ pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]*$" });

const Name = filled(maxNameLength).refine(
  (name) => !name.endsWith(planSuffix),
  `must not end with ${planSuffix}, with which clients ask for a plan`,
);

const wholeNumber = (min: number, max: number, unit: string) => {
  const message = `must be a whole number of ${unit} from ${min} to ${max}`;
  return z
    .int({ error: orRequired(message) })
    .min(min, message)
    .max(max, message);
};
const tokens = wholeNumber(1, maxTokens, "tokens");
const wait = wholeNumber(1, maxWaitMs, "milliseconds");
const priceMessage = `must be a number from 0 to ${maxPrice}`;
const price = z
  .number({ error: orRequired(priceMessage) })
  .min(0, priceMessage)
  .max(maxPrice, priceMessage);
const object = (form: string) => ({ error: orRequired(`must be an object like ${form}`) });

const ParameterName = text.regex(/^[A-Za-z_][\w.-]{0,99}$/, "must be the name of a parameter");
const variableMessage =
  "must be the name of an environment variable, in capital letters, like OPENAI_API_KEY; never the key itself";
const wordsMessage = (...words: readonly string[]) =>
  `must be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
const reasoningWords = ["auto", "opened", "none"] as const;

/** An entry of the file. */
export const ModelEntry = z.strictObject(
  {
    name: Name.describe(
      "The name by which clients choose the model, and under which usage is counted. It must not end with +plan.",
    ),
    model: filled(500).optional().describe("The model's name on its server. Default: `name`."),
    baseUrl: filled(2_000)
      .optional()
      .describe(
        "The root of an OpenAI-compatible API, like http://localhost:11434/v1. `${env:NAME}` stands for a variable. Default: https://api.openai.com/v1.",
      ),
    apiKeyVariable: text
      .regex(/^[A-Z_][A-Z0-9_]{0,99}$/, variableMessage)
      .optional()
      .describe("The name of the environment variable that holds the server's key. Default: no key is sent."),
    azure: z
      .strictObject(
        {
          endpoint: filled(2_000).describe("The resource's URL, like https://example.openai.azure.com."),
          apiVersion: filled(100).describe("The API's version, like 2024-10-21."),
        },
        object('{"endpoint":"https://example.openai.azure.com","apiVersion":"2024-10-21"}'),
      )
      .optional()
      .describe("For Azure OpenAI, instead of `baseUrl`; `model` is then the deployment's name."),
    headers: z
      .record(z.string(), text.max(8_000, "must be at most 8000 characters"), object('{"X-Title":"Chat"}'))
      .optional()
      .describe("Headers sent with each request. `${env:NAME}` stands for a variable."),
    windowTokens: tokens.optional().describe("The most tokens of a prompt and its reply together."),
    maxOutputTokens: tokens.optional().describe("The most tokens of a reply."),
    price: z
      .strictObject(
        {
          input: price,
          cachedInput: price.optional().describe("Default: the price of other input."),
          output: price,
          reasoning: price.optional().describe("Default: the price of other output."),
        },
        object('{"input":1.25,"cachedInput":0.125,"output":10}'),
      )
      .optional()
      .describe("The prices of a million tokens."),
    parameters: z
      .strictObject(
        {
          allowed: z
            .array(ParameterName, "must be a list of parameters' names")
            .max(maxItems, `must be at most ${maxItems}`)
            .optional()
            .describe("The parameters that clients may set. Default: all."),
          defaults: z
            .record(z.string(), z.json(), object('{"reasoning_effort":"low"}'))
            .optional()
            .describe(
              "Parameters that are sent unless the client sets them; `null` is never sent, even if the client sets it.",
            ),
          rename: z
            .record(z.string(), ParameterName, object('{"max_completion_tokens":"max_tokens"}'))
            .optional()
            .describe("The names under which parameters are sent instead, if the server ignores their own."),
        },
        object('{"allowed":["temperature"],"defaults":{"temperature":0.2}}'),
      )
      .optional()
      .describe("The parameters of requests to the model."),
    reasoning: z
      .enum(reasoningWords, wordsMessage(...reasoningWords))
      .optional()
      .describe(
        "`opened`: its replies start inside its reasoning, with only a closing mark; `none`: they never do; `auto` learns it from them. Default: MODEL_OPENS_REASONING.",
      ),
    fallback: z
      .array(text, "must be a list of models' names")
      .max(maxItems, `must be at most ${maxItems}`)
      .optional()
      .describe(
        "The names of the models that are asked instead, in this order, if this one fails before its first text.",
      ),
    failoverAfterMs: wait
      .optional()
      .describe(
        "A model that has sent no event after this time, comments aside, is left for its fallback. Default: 10000.",
      ),
    firstByteTimeoutMs: wait.optional().describe("Default: MODEL_FIRST_BYTE_TIMEOUT_MS."),
    idleTimeoutMs: wait.optional().describe("Default: MODEL_IDLE_TIMEOUT_MS."),
    users: z
      .array(z.guid("must be a user's id, a UUID"), "must be a list of users' ids")
      .min(1, "must not be empty: leave it out to allow all users")
      .max(maxUsers, `must be at most ${maxUsers}`)
      .optional()
      .describe("The users who may use the model, besides those of `keys`. Default: all."),
    keys: z
      .array(text.min(1, "must not be empty"), "must be a list of names of API_KEYS")
      .min(1, "must not be empty: leave it out to allow all keys")
      .max(maxItems, `must be at most ${maxItems}`)
      .optional()
      .describe("The names of the API keys that may use the model, besides `users`. Default: all."),
  },
  object('{"name":"gpt-5-mini","apiKeyVariable":"OPENAI_API_KEY"}'),
);
export type ModelEntry = z.infer<typeof ModelEntry>;

/** The whole file, which `models.schema.json` describes. */
export const ModelsFile = z.strictObject({
  $schema: z.string().optional().describe("The place of this schema, for editors."),
  models: z.array(ModelEntry).min(1).max(maxItems).describe("The models; the first is the default."),
});

/** The keys of the file and of an entry, and those of an entry's objects by their names. */
export const knownKeys = {
  file: Object.keys(ModelsFile.shape),
  entry: Object.keys(ModelEntry.shape),
  azure: Object.keys(ModelEntry.shape.azure.unwrap().shape),
  price: Object.keys(ModelEntry.shape.price.unwrap().shape),
  parameters: Object.keys(ModelEntry.shape.parameters.unwrap().shape),
} as const;

/** Returns the message for a value of another type, or for a missing one. */
function orRequired(
  message: string,
): (issue: { readonly code?: string; readonly input?: unknown }) => string | undefined {
  return ({ code, input }) => {
    if (code === "unrecognized_keys") return undefined;
    return input === undefined ? "is required" : message;
  };
}
