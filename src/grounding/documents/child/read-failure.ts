/** Why a document cannot be read. */
import type { ErrorCode } from "../../../base/errors.ts";

/** The codes of documents that cannot be read. */
export type ReadFailureCode = Extract<
  ErrorCode,
  "document_unreadable" | "document_encrypted" | "document_has_no_text" | "document_too_large"
>;

/** Ends the reading of a document. */
export class ReadFailure extends Error {
  override readonly name = "ReadFailure";
  readonly code: ReadFailureCode;

  constructor(code: ReadFailureCode) {
    super(code);
    this.code = code;
  }
}
