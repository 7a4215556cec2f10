/** The names of tools that this server runs: models have one name, `server__tool`, this protocol has two. */

const separator = "__";

/** Splits the name that a model has for a tool. The label of one without a server is empty. */
export function toServerNames(full: string): { readonly server_label: string; readonly name: string } {
  const place = full.indexOf(separator);
  return place < 0
    ? { server_label: "", name: full }
    : { server_label: full.slice(0, place), name: full.slice(place + separator.length) };
}

/** Returns the name that {@link toServerNames} has split. */
export function toToolName(serverLabel: string, name: string): string {
  return serverLabel === "" ? name : serverLabel + separator + name;
}
