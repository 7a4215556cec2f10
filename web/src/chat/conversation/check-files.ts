/** Whether files can be sent with a message. */

/** The types that the server takes. */
export const fileTypes = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"] as const;

/** The server's own limits, unless its operator has changed them. */
const maxFiles = 100;
const maxBytes = 15 * 1024 * 1024;

/** Why a file cannot be sent; `lost`: the browser has not kept it, and its name is unknown. */
export interface FileProblem {
  readonly type: "badType" | "tooLarge" | "tooMany" | "emptyFile" | "lost";
  readonly name: string;
}

/** The part of a `File` that is looked at. */
interface FileFacts {
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

/** Returns those of `added` that fit beside `present`, and why the others do not. */
export function checkFiles<Added extends FileFacts>(
  present: readonly FileFacts[],
  added: readonly Added[],
): { readonly accepted: readonly Added[]; readonly problems: readonly FileProblem[] } {
  const accepted: Added[] = [];
  const problems: FileProblem[] = [];
  for (const file of added) {
    const problem = findProblem([...present, ...accepted], file);
    if (problem === undefined) accepted.push(file);
    else problems.push({ type: problem, name: file.name });
  }
  return { accepted, problems };
}

function findProblem(present: readonly FileFacts[], file: FileFacts): FileProblem["type"] | undefined {
  if (!fileTypes.some((type) => type === file.type)) return "badType";
  if (file.size === 0) return "emptyFile";
  if (file.size > maxBytes) return "tooLarge";
  const bytes = present.reduce((sum, { size }) => sum + size, file.size);
  return present.length >= maxFiles || bytes > maxBytes ? "tooMany" : undefined;
}
