/** Adds sources to the messages of a client that are otherwise sent to the letter. */

/**
 * Returns `messages`, as the Chat Completions API has them, with `material` at the end of the instruction
 * that comes first, or as one before them. Many chat templates of open models refuse a second one.
 */
export function addMaterial(messages: readonly object[], material: string): readonly object[] {
  const [first = {}, ...others] = messages;
  const content = "content" in first ? first.content : undefined;
  if ("role" in first && (first.role === "system" || first.role === "developer")) {
    if (typeof content === "string") return [{ ...first, content: `${content}\n\n${material}` }, ...others];
    if (Array.isArray(content))
      return [{ ...first, content: [...content, { type: "text", text: material }] }, ...others];
  }
  return [{ role: "system", content: material }, ...messages];
}
