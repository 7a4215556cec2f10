/** What a new chat shows. */
import { strings } from "../strings/strings.ts";

/** Shows a greeting with questions to begin with. */
export function EmptyChat({ onExample }: { readonly onExample: (text: string) => void }) {
  const { chat } = strings;
  return (
    <div class="chat-centre">
      <h2>{chat.empty}</h2>
      <ul class="examples">
        {chat.examples.map((text) => (
          <li key={text}>
            <button type="button" onClick={() => onExample(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
