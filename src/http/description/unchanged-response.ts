/** The response to a client whose copy is current. */
import type { DocumentedResponse } from "./description.ts";

/** 304 for a body with a tag. */
export const unchangedResponse: DocumentedResponse = {
  status: 304,
  description: "The client's copy is current, as `If-None-Match` shows.",
  headers: ["ETag"],
};
