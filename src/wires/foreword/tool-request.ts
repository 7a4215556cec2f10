/** Tools in requests of our own wires: their definitions, and the calls that a client sends back. */
import { refuse } from "../../base/errors.ts";
import { z } from "zod";
import type { ModelParameters } from "../../turn/instructions.ts";
import type { CallResult } from "../../turn/items/tool-results.ts";
import { toToolParts, type SentTool } from "../../turn/items/sent-tools.ts";
import { toolResultStatuses, toolRunners, type ToolPart } from "../../turn/items/tool.ts";
import { nameTools, ToolName, toolsOf } from "../../http/items/client-tools.ts";
import { addIssues, described, listOf } from "../../http/request-fields.ts";

/** The most calls of a message, and the most results of a request. */
const maxCalls = 256;

const toolFields = {
  name: ToolName.describe("The tool's name: 1 to 64 letters, digits, underscores or hyphens."),
  description: z.string().nullish().describe("When to use the tool, for the model."),
  parameters: z.looseObject({}).nullish().describe("JSON Schema of the tool's input: an object."),
  strict: z.boolean().nullish().describe("Whether the model must follow `parameters` exactly."),
};
const OwnTool = z.object(toolFields);
const OpenAiTool = z.object({ type: z.literal("function"), function: OwnTool });

/** A tool of the client, also in the form of OpenAI's API. */
const Tool = z
  .unknown()
  .transform((value, context): z.output<typeof OwnTool> => {
    const isOpenAi = typeof value === "object" && value !== null && "function" in value;
    const tool = isOpenAi
      ? OpenAiTool.transform((wrapped) => wrapped.function).safeParse(value)
      : OwnTool.safeParse(value);
    if (tool.success) return tool.data;
    addIssues(context, tool.error);
    return z.NEVER;
  })
  .register(described, { as: z.union([OwnTool, OpenAiTool]) });

const ChosenTool = z.object({ name: z.string() });
const OpenAiChoice = z.object({ type: z.literal("function"), function: ChosenTool });

/** The fields of a request about its client's tools. */
export const toolRequestFields = {
  tools: toolsOf(Tool)
    .nullish()
    .describe("Tools that the client runs. A turn that calls them ends, and goes on with their results."),
  toolChoice: z
    .union(
      [z.enum(["auto", "none", "required"]), ChosenTool, OpenAiChoice],
      "must be auto, none, required or the name of a tool, like {name}",
    )
    .nullish()
    .describe("Whether the model may, must not or must call tools, or which one. Default: auto."),
  parallelToolCalls: z.boolean().nullish().describe("Whether one step may have several calls."),
};

const Output = z.unknown().optional().describe("The output: any JSON.");
const Failure = z.string().nullish().describe("Why the call failed, instead of an output.");

/** A tool call of a reply, as in a turn's state. */
const SentCall = z.object({
  callId: z.string().describe("The call's id."),
  name: z.string().describe("The tool's name."),
  input: z.unknown().optional().describe("The arguments: a string as the model wrote it, or its JSON."),
  output: Output,
  error: Failure,
  status: z
    .enum(["running", "waiting", ...toolResultStatuses])
    .nullish()
    .describe("How the call ended. Default: complete with an output, failed with an error."),
  runsOn: z.enum(toolRunners).nullish().describe("Who runs the tool. Default: client."),
  step: z.int().min(0).max(10_000).nullish().describe("The model call that asked for it. Default: 0."),
  at: z
    .int()
    .min(0)
    .nullish()
    .describe("Where it stands in the text, in UTF-16 code units. Default: its end."),
});

/** The tool calls of a message. */
export const SentCalls = listOf(SentCall, maxCalls);

const ToolResult = z
  .object({ callId: z.string().describe("The call's id."), output: Output, error: Failure })
  .refine(({ output, error }) => (output === undefined) === (typeof error === "string"), {
    message: "must have an output or an error",
  })
  .meta({
    anyOf: [
      { required: ["output"], properties: { error: { type: "null" } } },
      { required: ["error"], properties: { error: { type: "string" } }, not: { required: ["output"] } },
    ],
  });

/** Results of the calls of a stored reply. */
export const ToolResults = listOf(ToolResult, maxCalls);

/**
 * Returns the results of the calls of a stored reply.
 * @throws AppError as {@link toToolParts} does.
 */
export function toCallResults(results: z.output<typeof ToolResults>): readonly CallResult[] {
  const calls = results.map((result, index): SentTool => {
    const field = `toolResults[${index}]`;
    const outcome = toOutcome(result, field);
    // Each in a step of its own: the reply's calls tell whether ids are repeated.
    return { ...noCall, callId: result.callId, step: index, outcome, field };
  });
  return (toToolParts(calls, "toolResults") ?? []).flatMap(({ callId, outcome }, index) =>
    outcome === undefined ? [] : [{ callId, outcome, field: `toolResults[${index}]` }],
  );
}

const noCall = { name: "tool", runsOn: "client", at: 0, input: "" } as const;

/**
 * Returns the parameters of a model call with a request's tools.
 * @throws AppError `invalid_request`.
 */
export function toToolParameters({
  tools,
  toolChoice,
  parallelToolCalls,
}: z.output<z.ZodObject<typeof toolRequestFields>>): ModelParameters {
  const given = tools ?? [];
  const names = nameTools(given);
  const choice = toChoice(toolChoice);
  if (typeof choice === "object" && !names.has(choice.function.name))
    refuse("toolChoice", "must name one of the tools");
  if (choice === "required" && names.size === 0) refuse("toolChoice", "required needs tools");
  if (names.size === 0) return {};
  return {
    tools: given.map(toModelTool),
    ...(choice !== undefined && { tool_choice: choice }),
    ...(typeof parallelToolCalls === "boolean" && { parallel_tool_calls: parallelToolCalls }),
  };
}

function toChoice(choice: z.output<typeof toolRequestFields.toolChoice>) {
  if (choice === null || choice === undefined) return undefined;
  if (typeof choice === "string") return choice;
  const { name } = "function" in choice ? choice.function : choice;
  return { type: "function", function: { name } } as const;
}

function toModelTool({ name, description, parameters, strict }: z.output<typeof OwnTool>) {
  return {
    type: "function",
    function: {
      name,
      ...(typeof description === "string" && { description }),
      ...(parameters !== null && parameters !== undefined && { parameters }),
      ...(typeof strict === "boolean" && { strict }),
    },
  };
}

/**
 * Returns the tool calls of a message with `text`; `undefined` if there are none.
 * @throws AppError as {@link toToolParts} does.
 */
export function toSentParts(
  calls: z.output<typeof SentCalls>,
  text: string,
  field: string,
): readonly ToolPart[] | undefined {
  return toToolParts(
    calls.map((call, index): SentTool => {
      const { callId, name, input = "", runsOn, step, at } = call;
      const place = `${field}.tools[${index}]`;
      return {
        callId,
        name,
        runsOn: runsOn ?? "client",
        step: step ?? 0,
        at: Math.min(at ?? text.length, text.length),
        input: typeof input === "string" ? input : { json: input },
        outcome: toOutcome(call, place),
        field: place,
      };
    }),
    field,
  );
}

/** A result without a status is complete; a call that has neither status nor output is open. */
function toOutcome(
  { status, output, error }: Partial<Pick<z.output<typeof SentCall>, "status" | "output" | "error">>,
  place: string,
): SentTool["outcome"] {
  if (typeof error === "string") return { status: "failed", output: error, field: `${place}.error` };
  if (status === "running" || status === "waiting") return undefined;
  const isOpen = status === undefined ? output === undefined : status === null && (output ?? null) === null;
  if (isOpen) return undefined;
  return { status: status ?? "complete", output: output ?? null, field: `${place}.output` };
}
