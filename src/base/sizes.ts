/** Sizes that several parts of the server share. */

/** Bytes in a mebibyte. */
export const mebibyte = 1024 * 1024;

/** The longest reply, in bytes of its plain-text body. */
export const maxReplyBytes = 2 * mebibyte;

/** The size of a full page of a log's text, in bytes. A follower that is behind gets a page at a time. */
export const textPageBytes = 32 * 1024;
