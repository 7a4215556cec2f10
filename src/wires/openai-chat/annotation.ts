/** The annotations of a completion: where its answer cites which source. */
import { z } from "zod";
import { schemaOf } from "../../http/description/response-schema.ts";
import { toUrlCitations, urlCitationFields, type UrlCitation } from "../../http/openai/url-citation.ts";
import type { SourceData } from "../../turn/turn-event.ts";

/** A citation. */
export interface CompletionAnnotation {
  readonly type: "url_citation";
  readonly url_citation: UrlCitation;
}

/** The schema of {@link CompletionAnnotation}. */
export const CompletionAnnotationSchema = schemaOf<CompletionAnnotation>()("CompletionAnnotation", () =>
  z.object({ type: z.literal("url_citation"), url_citation: z.object(urlCitationFields) }),
);

/** Returns the citations of `sources` in `answer`. */
export function toAnnotations(
  answer: string,
  sources: readonly SourceData[],
): readonly CompletionAnnotation[] {
  return toUrlCitations(answer, sources).map((citation) => ({
    type: "url_citation",
    url_citation: citation,
  }));
}
