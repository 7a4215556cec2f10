/** Lets a part of the page send a file by itself, to see how far it has come: `fetch` does not tell that. */

type Fetch = typeof globalThis.fetch;

/** Who sends a request, by its body. */
const senders = new WeakMap<Blob, Fetch>();

/** Has requests whose body is `file` sent by `send`. */
export function sendBy(file: Blob, send: Fetch): void {
  senders.set(file, send);
}

/** Fetches, unless another way was named for the body. */
export const fetchOrSend: Fetch = async (input, init) => {
  const send = init?.body instanceof Blob ? senders.get(init.body) : undefined;
  return await (send === undefined ? fetch(input, init) : send(input, init));
};
