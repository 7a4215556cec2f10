/** Images for messages. */

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
/** Returns a small image as a file that a person chooses. */
export function toImage(name: string) {
  return { name, mimeType: "image/png", buffer: png };
}

/** Returns a script that drops or pastes an image into the field. */
export function dropOrPaste(type: "drop" | "paste", name: string): string {
  return `{
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(${JSON.stringify(Array.from(png))})], ${JSON.stringify(name)}, { type: "image/png" }));
    const options = { bubbles: true, cancelable: true };
    document.querySelector(".composer textarea").dispatchEvent(
      ${JSON.stringify(type)} === "drop"
        ? new DragEvent("drop", { ...options, dataTransfer: data })
        : new ClipboardEvent("paste", { ...options, clipboardData: data }),
    );
  }`;
}
