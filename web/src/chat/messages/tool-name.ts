/** The names of tools, as people read them. */

/** A tool's name for people, and the server that has it. */
export interface ToolName {
  readonly name: string;
  /** `undefined` for tools that the client runs. */
  readonly server: string | undefined;
}

/**
 * Returns how a tool is shown, which models know as `server__tool`. @param title what its server calls
 * it.
 */
export function toToolName(name: string, title: string | null): ToolName {
  const at = name.indexOf("__", 1);
  const hasServer = at > 0 && at + 2 < name.length;
  const own = hasServer ? name.slice(at + 2) : name;
  return { name: title ?? toWords(own), server: hasServer ? name.slice(0, at) : undefined };
}

/** `get_weather`, `get-weather` and `getWeather` become `get weather`. */
function toWords(name: string): string {
  const words = name
    .replaceAll(/(?<=[\p{Ll}\d])(?=\p{Lu}\p{Ll})/gu, " ")
    .replaceAll(/[_\-.\s]+/g, " ")
    .replaceAll(/(?<= )\p{Lu}(?=\p{Ll})/gu, (letter) => letter.toLowerCase())
    .trim();
  return words === "" ? name : words;
}
