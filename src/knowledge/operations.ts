/** The API description of the knowledge routes. */
import type { z } from "zod";
import type { Content, GroupDescription } from "../http/description/description.ts";
import { fileResponses } from "../http/description/file-responses.ts";
import { documentTypes } from "../grounding/documents/document.ts";
import { toMediaType } from "./document-media-type.ts";
import { DocumentPageSchema, DocumentSchema, DocumentTextSchema, KnowledgeBasesSchema } from "./json.ts";

const json = (schema: z.ZodType): Readonly<Record<string, Content>> => ({
  "application/json": { type: "json", schema },
});

export const knowledgeDescription: GroupDescription<
  | "listKnowledgeBases"
  | "deleteKnowledgeBase"
  | "addDocument"
  | "listDocuments"
  | "getDocument"
  | "getDocumentText"
  | "getDocumentOriginal"
  | "deleteDocument"
> = {
  routes: {
    listKnowledgeBases: {
      summary: "List a user's knowledge bases",
      description: "By name, at most 1,000.",
      responses: [
        { status: 200, description: "The knowledge bases.", content: json(KnowledgeBasesSchema()) },
      ],
    },
    deleteKnowledgeBase: {
      summary: "Delete a knowledge base with all its documents",
      responses: [{ status: 204, description: "The knowledge base is deleted." }],
    },
    addDocument: {
      summary: "Add a document to a knowledge base",
      description:
        "The body is the document itself: PDF, Word (docx), HTML, Markdown, CSV or plain text, recognised by its bytes. The knowledge base is created if need be. The document is read in the background: `GET /documents/:id` shows how far. The same document again is the same one, and one that has failed is read again.",
      responses: [
        {
          status: 202,
          description: "The document is stored, and waits to be read.",
          content: json(DocumentSchema()),
          headers: ["Location"],
        },
      ],
    },
    listDocuments: {
      summary: "List the documents of a knowledge base",
      description: "Newest first.",
      responses: [{ status: 200, description: "A page of documents.", content: json(DocumentPageSchema()) }],
    },
    getDocument: {
      summary: "Get a document's state",
      responses: [{ status: 200, description: "The document.", content: json(DocumentSchema()) }],
    },
    getDocumentText: {
      summary: "Read a document's text, or that of one page",
      responses: [{ status: 200, description: "A part of the text.", content: json(DocumentTextSchema()) }],
    },
    getDocumentOriginal: {
      summary: "Get a document as it was sent",
      description: "As a download.",
      responses: fileResponses(documentTypes.map(toMediaType)),
    },
    deleteDocument: {
      summary: "Delete a document",
      description: "Its original and its passages go with it.",
      responses: [{ status: 204, description: "The document is deleted." }],
    },
  },
};
