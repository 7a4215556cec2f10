/** Decides which addresses in a model's text become links, and whether their text tells the truth. */

const schemes = new Set(["http:", "https:", "mailto:"]);

/** Returns the address that a link may open; only whole addresses of the web and of mail. */
export function parseAddress(href: string): URL | undefined {
  const url = URL.parse(href.trim());
  if (url === null || !schemes.has(url.protocol)) return undefined;
  url.username = "";
  url.password = "";
  return url.protocol === "mailto:" || url.hostname !== "" ? url : undefined;
}

/** Whether the text names an address, and another one than the link opens. */
export function isMisleading(text: string, url: URL): boolean {
  const visible = text.replaceAll(/[\p{Cf}\p{Cc}]/gu, "").normalize("NFKC");
  if (visible.trim() === "") return true;
  const named =
    visible.match(
      /(?:[a-z][a-z\d+.-]*:\/\/|www\.)\S+|(?:[\p{L}\d-]+\.)+\p{L}{2,}(?:[/?#:]\S*)?|\S+@\S+\.\S+/giu,
    ) ?? [];
  return named.some((address) => !isSame(address, url));
}

function isSame(address: string, url: URL): boolean {
  const trimmed = address.replace(/[\s.,;:!?…)\]}'"»”]+$/u, "").replace(/^[([{'"«„“]+/u, "");
  if (url.protocol === "mailto:")
    return trimmed.replace(/^mailto:/i, "").toLowerCase() === decode(url.pathname).toLowerCase();
  if (trimmed.includes("@") && !trimmed.includes("/")) return false;
  const named = URL.parse(/^[a-z][a-z\d+.-]*:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`);
  if (named === null || toHost(named) !== toHost(url)) return false;
  const path = toPath(named);
  return path === "" || toPath(url).startsWith(path);
}

function toHost(url: URL): string {
  return url.host.replace(/^www\./, "");
}

function toPath(url: URL): string {
  return `${url.pathname}${url.search}${url.hash}`.replace(/\/$/, "");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // it is not encoded well, so it is compared as it is
  }
}
