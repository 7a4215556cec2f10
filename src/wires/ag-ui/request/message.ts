/** The messages of a thread, as AG-UI's clients send them. */
import { z } from "zod";
import {
  addIssues,
  described,
  ImageUrl,
  InlineFile,
  listOf,
  maxParts,
  nameFile,
  type PartContent,
} from "../../../http/request-fields.ts";

const roles = ["user", "assistant", "tool", "system", "developer", "reasoning", "activity"] as const;
/** Roles of messages for people, which no model gets. */
const shownOnly: ReadonlySet<string> = new Set(["reasoning", "activity"]);

const notSupported = "is not supported";

/** The content of one part. */
export interface AgUiPart extends PartContent {
  /** Why it cannot be used: the field of the part, and a rule. */
  readonly refusal?: { readonly field: string; readonly rule: string };
}

const Source = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("data"), value: z.string(), mimeType: z.string() }),
    z.object({ type: z.literal("url"), value: z.string() }),
  ],
  "must have the type data or url",
);
const MediaPart = z.object({ source: Source });
/** A file as clients before version 1.0 may send it. */
const BinaryPart = z.object({
  mimeType: z.string(),
  data: z.string().nullish(),
  url: z.string().nullish(),
  filename: z.string().nullish().catch(null),
});
const FileName = z.object({ metadata: z.object({ filename: z.string() }) });
const TextPart = z.object({ text: z.string() });

function readText(part: unknown): AgUiPart {
  const result = TextPart.safeParse(part);
  return result.success ? { text: result.data.text } : refuseWith(result.error, []);
}

function readMedia(part: unknown): AgUiPart {
  const result = MediaPart.safeParse(part);
  if (!result.success) return refuseWith(result.error, []);
  const { source } = result.data;
  const name = FileName.safeParse(part).data?.metadata.filename;
  return source.type === "url"
    ? readUrl(source.value, ["source", "value"], name)
    : readData(source.value, source.mimeType, ["source"], name);
}

function readBinary(part: unknown): AgUiPart {
  const result = BinaryPart.safeParse(part);
  if (!result.success) return refuseWith(result.error, []);
  const { data, url, mimeType, filename } = result.data;
  return typeof url === "string"
    ? readUrl(url, ["url"], filename)
    : readData(data ?? "", mimeType, [], filename);
}

function readUrl(url: string, path: readonly string[], name: string | null | undefined): AgUiPart {
  const result = ImageUrl.safeParse(url);
  return result.success ? { image: nameFile(result.data, name) } : refuseWith(result.error, path);
}

function readData(
  data: string,
  mimeType: string,
  path: readonly string[],
  name: string | null | undefined,
): AgUiPart {
  const result = InlineFile.safeParse({ data, mimeType });
  return result.success ? { image: nameFile(result.data, name) } : refuseWith(result.error, path);
}

function refuseWith({ issues: [issue] }: z.ZodError, path: readonly string[]): AgUiPart {
  const field = [...path, ...(issue?.path ?? [])].map((key) => `.${String(key)}`).join("");
  return { refusal: { field, rule: issue?.message ?? notSupported } };
}

const readers: ReadonlyMap<string, (part: unknown) => AgUiPart> = new Map([
  ["text", readText],
  ["image", readMedia],
  ["document", readMedia],
  ["binary", readBinary],
]);

/** A part. One that cannot be used is not refused here: clients send old messages again. */
const Part = z.looseObject({ type: z.string() }).transform((part): AgUiPart => {
  const read = readers.get(part.type);
  return read === undefined ? { refusal: { field: ".type", rule: notSupported } } : read(part);
});

const source = z.object({
  type: z.enum(["data", "url"]),
  value: z.string(),
  mimeType: z.string().optional(),
});
Part.register(described, {
  as: z.union([
    z.object({ type: z.literal("text"), text: z.string() }),
    z
      .object({ type: z.enum(["image", "document"]), source })
      .describe("An image or a PDF: in base64, or as the URL of a stored file."),
    z.looseObject({ type: z.string() }).describe("Any other part: refused in the newest message only."),
  ]),
});

/** Not a union: its error would not name the invalid part. */
const Content = z
  .unknown()
  .transform((content, context): readonly AgUiPart[] => {
    if (typeof content === "string") return [{ text: content }];
    if (content === null || content === undefined) return [];
    const result = listOf(Part, maxParts).safeParse(content);
    if (result.success) return result.data;
    addIssues(context, result.error);
    return z.NEVER;
  })
  .register(described, { as: z.union([z.string(), z.array(Part).max(maxParts), z.null()]) });

const ToolCall = z.object({
  id: z.string("is required"),
  function: z.object({ name: z.string("is required"), arguments: z.string("must be a string of JSON") }),
});

const Failure = z.object({ tanstack: z.object({ state: z.literal("output-error") }) });

const KnownMessage = z.object({
  id: z.unknown().optional().describe("The client's id for the message, by which it is matched later."),
  role: z.enum(roles, `must be one of ${roles.join(", ")}`),
  content: Content.optional(),
  toolCalls: listOf(ToolCall).nullish().describe("The tool calls of a reply."),
  toolCallId: z.string().nullish().describe("The call that a tool's message answers."),
  error: z.string().nullish().describe("Why the call failed."),
  metadata: z.unknown().optional(),
});

/** A message as a client sent it. */
export type SentMessage = Omit<z.output<typeof KnownMessage>, "metadata" | "id"> & {
  /** `undefined` if it is no text. */
  readonly id: string | undefined;
  /** Whether only people see it. */
  readonly isShownOnly: boolean;
  /** Whether it says that the call failed. */
  readonly isFailure: boolean;
};

/** A message. */
export const AgUiMessage = z
  .looseObject({ role: KnownMessage.shape.role })
  .transform((message, context): SentMessage => {
    const { role } = message;
    const id = typeof message["id"] === "string" ? message["id"] : undefined;
    if (shownOnly.has(role)) return { id, role, isShownOnly: true, isFailure: false };
    const result = KnownMessage.safeParse(message);
    if (!result.success) {
      addIssues(context, result.error);
      return z.NEVER;
    }
    const { metadata, ...known } = result.data;
    const isFailure = typeof known.error === "string" || Failure.safeParse(metadata).success;
    return { ...known, id, isShownOnly: false, isFailure };
  })
  .register(described, {
    as: z.union([
      KnownMessage.extend({ role: KnownMessage.shape.role.exclude(["reasoning", "activity"]) }),
      z
        .looseObject({ role: z.enum(["reasoning", "activity"]) })
        .describe("A message for people only: it is ignored."),
    ]),
  });
