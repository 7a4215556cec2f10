/** The content of a message as OpenAI's clients send it: a text, or parts. */
import { z } from "zod";
import type { Role } from "../../turn/message.ts";
import { addIssues, described, ImageUrl, listOf, maxParts, type PartContent } from "../request-fields.ts";
import { notSupported } from "./model-parameters.ts";

/** The authors of messages by their names. */
export const openAiRoles: Readonly<Record<string, Role>> = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
};

/** The schemas of parts by their types. */
export type PartSchemas = Readonly<Record<string, z.ZodType<PartContent>>>;

/** A part with a refusal, which counts as text. */
export const RefusalPart = z
  .object({ refusal: z.string() })
  .transform(({ refusal }): PartContent => ({ text: refusal }));

/** The fields of a file whose bytes a part holds. */
export const FileData = z.object({ filename: z.string().nullish(), file_data: ImageUrl });

/**
 * Returns the schema of a content whose parts have these types. Not a union: its error would not name the
 * invalid part.
 * @param partDescription describes a part in the API description.
 */
export function contentOf(parts: PartSchemas, partDescription: z.ZodType) {
  const Parts = listOf(toPart(parts), maxParts);
  return z
    .unknown()
    .transform((content, context): readonly PartContent[] => {
      if (typeof content === "string") return [{ text: content }];
      const result = Parts.safeParse(content);
      if (result.success) return result.data;
      addIssues(context, result.error);
      return z.NEVER;
    })
    .register(described, { as: z.union([z.string(), z.array(partDescription).max(maxParts)]) });
}

function toPart(parts: PartSchemas) {
  return z.looseObject({ type: z.string() }).transform((part, context): PartContent => {
    const known = Object.hasOwn(parts, part.type) ? parts[part.type] : undefined;
    const result = known?.safeParse(part);
    if (result?.success === true) return result.data;
    if (result === undefined) context.addIssue({ code: "custom", path: ["type"], message: notSupported });
    else addIssues(context, result.error);
    return z.NEVER;
  });
}
