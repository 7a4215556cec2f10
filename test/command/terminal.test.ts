/** What commands print in a terminal, and without one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Terminal } from "../../src/command/terminal.ts";

/** A stream that keeps what is written to it. */
class Screen {
  readonly isTTY: boolean;
  readonly columns: number;
  text = "";

  constructor(isTTY: boolean, columns = 60) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string, done: () => void): void {
    this.text += text;
    done();
  }
}

const clearLine = "\r\u001b[K";

describe("the progress of a command", () => {
  test("is a bar on one line, which the next result replaces", async () => {
    const [results, messages] = [new Screen(true), new Screen(true)];
    const terminal = new Terminal(results, messages);
    terminal.show("1/2 sending a.pdf", 0.5);
    assert.equal(messages.text, `${clearLine}1/2 sending a.pdf [##########----------]  50%`);
    await terminal.print("read    a.pdf");
    assert.deepEqual([results.text, messages.text.endsWith(clearLine)], ["read    a.pdf\n", true]);
    await terminal.print("read    b.pdf");
    assert.equal(messages.text.split(clearLine).length, 3);
  });

  test("never breaks the line, whatever the name of a file is", () => {
    for (const name of ["x".repeat(200), "工资手册".repeat(40), "a\u001b[2Jb\r\nc", "🦔".repeat(99)]) {
      const messages = new Screen(true, 50);
      new Terminal(new Screen(true), messages).show(name, 1.5);
      const line = messages.text.slice(clearLine.length);
      const columns = Array.from(line).reduce(
        (sum, letter) => sum + (/[\u2e80-\u9fff\u{1f994}]/u.test(letter) ? 2 : 1),
        0,
      );
      assert.ok(columns < 50, `${columns}: ${line}`);
      assert.match(line, / \[#{20}\] 100%$/);
      // eslint-disable-next-line no-control-regex -- They are what must not be there.
      assert.doesNotMatch(line, /[\u0000-\u001f]/);
    }
  });

  test("is not shown without a terminal, or in a narrow one", async () => {
    for (const messages of [new Screen(false), new Screen(true, 20)]) {
      const terminal = new Terminal(new Screen(false), messages);
      terminal.show("sending", 0.5);
      await terminal.clear();
      assert.equal(messages.text, "");
    }
  });
});
