/** The API description of the files route. */
import type { GroupDescription } from "../http/description/description.ts";
import { fileResponses } from "../http/description/file-responses.ts";
import { attachmentTypes } from "../turn/message.ts";

export const filesDescription: GroupDescription<"getFile"> = {
  routes: {
    getFile: {
      summary: "Get an image or a file of a message",
      description: "As a download. `attachments` of a message have its URL.",
      responses: fileResponses(attachmentTypes),
    },
  },
};
