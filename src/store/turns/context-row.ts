/** How much of a chat a model was sent, in rows of turns. */
import { z } from "zod";
import type { Json } from "../../base/json.ts";
import type { SentContext } from "../../turn/turn-event.ts";

const Count = z.int().nonnegative();

/** The context in a row; absent if the whole chat was sent, and before schema version 9. */
export const ContextRow = z
  .object({
    messages_left_out: Count,
    images_left_out: Count,
    results_left_out: Count,
    is_retried: z.boolean().nullish(),
    is_summarised: z.boolean().nullish(),
  })
  .transform((row): SentContext => ({
    messagesLeftOut: row.messages_left_out,
    imagesLeftOut: row.images_left_out,
    resultsLeftOut: row.results_left_out,
    ...(row.is_retried === true && { isRetried: true }),
    ...(row.is_summarised === true && { isSummarised: true }),
  }))
  .nullish()
  .catch(null);

/** Returns a context as it is stored. */
export function toContextRow(context: SentContext | undefined): Json {
  return (
    context && {
      messages_left_out: context.messagesLeftOut,
      images_left_out: context.imagesLeftOut,
      results_left_out: context.resultsLeftOut,
      is_retried: context.isRetried,
      is_summarised: context.isSummarised,
    }
  );
}
