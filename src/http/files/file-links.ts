/** Links to stored files, as the history shows them and as clients may send them back. */

/** Returns the path of a stored file. */
export function toFilePath(id: string): string {
  return `/files/${id}`;
}

/** A URL of a stored file: `/files/<id>`, or a whole URL with that path. Nothing is fetched from it. */
export const fileLink =
  /^(?:https?:\/\/[^/?#\s]{1,255})?\/files\/([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?:\?[^#\s]{0,255})?$/i;

/** Returns the id of the stored file that `url` names; `undefined` for any other URL. */
export function toFileId(url: string): string | undefined {
  return url.length > 1_000 ? undefined : fileLink.exec(url)?.[1]?.toLowerCase();
}
