/** The API description of the files route. */
import type { Content, GroupDescription } from "../http/description/description.ts";
import { attachmentTypes } from "../turn/message.ts";

const bytes: Readonly<Record<string, Content>> = Object.fromEntries(
  attachmentTypes.map((type) => [type, { type: "text", description: "The file's bytes." }]),
);

export const filesDescription: GroupDescription<"getFile"> = {
  routes: {
    getFile: {
      summary: "Get an image or a file of a message",
      description: "As a download. `attachments` of a message have its URL.",
      responses: [
        {
          status: 200,
          description: "The whole file.",
          content: bytes,
          headers: ["Content-Disposition", "Accept-Ranges", "ETag"],
        },
        {
          status: 206,
          description: "The requested bytes.",
          content: bytes,
          headers: ["Content-Disposition", "Accept-Ranges", "Content-Range", "ETag"],
        },
        { status: 304, description: "The client's copy is current.", headers: ["ETag"] },
      ],
    },
  },
};
