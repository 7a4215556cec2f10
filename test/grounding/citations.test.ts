/** Citations in answers: which brackets are some, and which are not, for all that read them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ReplySources } from "../../packages/foreword-client/src/reply-sources.ts";
import { findCitations } from "../../src/base/shared/citations.ts";
import { withoutCitations } from "../../src/turn/sources/citations.ts";
import { toMessageSources } from "../../src/turn/sources/message-sources.ts";
import type { Source } from "../../src/turn/turn-event.ts";
import { citationCases, toNumbers } from "../fixtures/citations.ts";

const sources = Array.from({ length: 6 }, (_, index): Source => {
  const [number, ordinal] = [index + 1, index + 1];
  const place = { position: 0, ordinal } as const;
  return { type: "source", sourceId: `web:${number}`, number, kind: "web", title: "", quote: "", ...place };
});

function strip(text: string): string {
  return withoutCitations({ role: "assistant", text, images: [] }).text;
}

describe("citations", () => {
  test("are found where they are, in Markdown of any kind", () => {
    for (const [text, cited] of citationCases) {
      const found = findCitations(text);
      assert.deepEqual(
        found.map(({ start, end }) => text.slice(start, end)),
        cited,
        text,
      );
      assert.deepEqual(
        found.flatMap(({ numbers }) => numbers),
        toNumbers(cited),
      );
    }
  });

  test("mark the same sources in the rows of the server and in the replies of foreword-client", () => {
    for (const [text, cited] of citationCases) {
      const reply = new ReplySources();
      for (const { sourceId, number, kind, title, quote, position, ordinal } of sources) {
        const none = { url: null, documentId: null, page: null, heading: null };
        reply.take({ type: "source", sourceId, number, kind, title, quote, position, ordinal, ...none });
      }
      const expected = sources.map(({ number }) => toNumbers(cited).includes(number));
      const toMarks = (found: readonly { readonly isCited: boolean }[] | undefined) =>
        found?.map(({ isCited }) => isCited);
      assert.deepEqual(toMarks(toMessageSources(sources, text)), expected, text);
      assert.deepEqual(toMarks(reply.toFields(text).sources), expected, text);
    }
  });

  test("are taken out of a reply with the space before them, and nothing else is", () => {
    assert.equal(strip("One [1]. Two.[2][3] Three [1, 2]"), "One. Two. Three");
    const code = "Use `a [1]`:\n\n```\nb [2]\n```\n\nDone [3].";
    assert.equal(strip(code), "Use `a [1]`:\n\n```\nb [2]\n```\n\nDone.");
  });

  test("leave the tool calls of a reply where they stand in its text", () => {
    const text = "Let me look [2].\n\nSo [1][2]: yes [1].";
    const call = {
      callId: "c",
      name: "f",
      runsOn: "server",
      step: 0,
      input: "{}",
      outcome: undefined,
    } as const;
    const places = [0, 11, 13, 16, 20, 27, text.length];
    const tools = places.map((at) => ({ ...call, at }));
    const kept = withoutCitations({ role: "assistant", text, images: [], tools });
    assert.equal(kept.text, "Let me look.\n\nSo: yes.");
    const before = ["", "Let me look", "Let me look", "Let me look.", "Let me look.\n\nSo"];
    assert.deepEqual(
      kept.tools?.map(({ at }) => kept.text.slice(0, at)),
      [...before, "Let me look.\n\nSo", kept.text],
    );
  });

  test("stay in a reply that has its own list of references", () => {
    const text = "One [1].\n\n[1]: https://example.com";
    assert.equal(strip(text), text);
  });

  test("are found in a long text in time that grows with it", () => {
    const texts = [
      "[",
      "[1",
      "[1]",
      "`",
      "``x`",
      "`\n\n",
      "```\n",
      " [1, ",
      "[1](",
      "[1][",
      "[1][a",
      "0,][1]",
      "a1",
      " ",
    ];
    for (const text of texts) {
      const long = text.repeat(100_000);
      assert.ok(strip(long).length <= long.length);
    }
  });
});
