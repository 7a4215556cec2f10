/** Scripts the calls of a model that ask for a summary, beside its replies. */
import type { Script, ScriptedCall, ScriptedModel } from "./scripted-model.ts";

/** Whether a call asks for a summary of a chat. */
function isSummaryCall({ body }: ScriptedCall): boolean {
  return String(body.messages[0]?.content).startsWith("You summarise");
}

/** Answers the calls for summaries of a scripted model; its other calls go to the script that it had. */
export class SummaryScript {
  readonly calls: ScriptedCall[] = [];
  /** All other calls. */
  readonly replies: ScriptedCall[] = [];
  /** Answers a call; by default with a short text with the number of the call. */
  answer: Script = (call) => call.text(`Summary ${this.calls.length} of the chat.`).finish();

  constructor(model: ScriptedModel) {
    const { script } = model;
    model.script = (call) => {
      const isSummary = isSummaryCall(call);
      (isSummary ? this.calls : this.replies).push(call);
      return isSummary ? this.answer(call) : script(call);
    };
  }

  /** The call of the newest turn. */
  get newest(): ScriptedCall {
    const call = this.replies.at(-1);
    if (call === undefined) throw new Error("the model has not been asked");
    return call;
  }
}

/** Returns the messages that a call asks to summarise. */
export function materialOf({ body }: ScriptedCall): string {
  return String(body.messages[1]?.content);
}

/** Returns the summary in a prompt; `undefined` if it has none. */
export function findSentSummary({ body }: ScriptedCall): string | undefined {
  const texts = body.messages.filter(({ role }) => role === "user").map(({ content }) => String(content));
  return texts
    .map((text) => /<summary>\n([^]*?)\n<\/summary>/.exec(text)?.[1])
    .find((text) => text !== undefined);
}
