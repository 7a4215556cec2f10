/** The responses of routes that send a stored file. */
import type { Content, DocumentedResponse } from "./description.ts";

/** Returns the responses with a file of one of these media types: whole, in part, and not sent again. */
export function fileResponses(mediaTypes: readonly string[]): readonly DocumentedResponse[] {
  const content: Readonly<Record<string, Content>> = Object.fromEntries(
    mediaTypes.map((type) => [type, { type: "text", description: "The file's bytes." }]),
  );
  return [
    {
      status: 200,
      description: "The whole file.",
      content,
      headers: ["Content-Disposition", "Accept-Ranges", "ETag"],
    },
    {
      status: 206,
      description: "The requested bytes.",
      content,
      headers: ["Content-Disposition", "Accept-Ranges", "Content-Range", "ETag"],
    },
    { status: 304, description: "The client's copy is current.", headers: ["ETag"] },
  ];
}
