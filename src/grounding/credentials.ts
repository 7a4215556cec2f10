/** User and password in the address of a server that is asked by HTTP. */

/**
 * Returns a configured address without its user and password, and the `Authorization` header that holds them
 * (`Basic`, RFC 7617); without it if the address has neither.
 */
export function takeCredentials(address: URL): { readonly url: URL; readonly authorization?: string } {
  const url = new URL(address);
  Object.assign(url, { username: "", password: "" });
  const user = [address.username, address.password].map((part) => decodeURIComponent(part)).join(":");
  return user === ":" ? { url } : { url, authorization: `Basic ${Buffer.from(user).toString("base64")}` };
}
