/** The schema file equals the build of its pieces, and each piece holds one thing. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildSchema } from "../../../sql/build-schema.ts";

const folder = fileURLToPath(new URL("../../../sql", import.meta.url));
const schema = readFileSync(new URL("../../../supabase_schema.sql", import.meta.url), "utf8");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".sql"),
);
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

describe("supabase_schema.sql", () => {
  test("is what `npm run schema` builds from sql/", () => {
    assert.ok(buildSchema() === schema, "run `npm run schema` and commit what it writes");
  });

  test("holds every piece", () => {
    const built = schema.replaceAll(/\s+/g, " ");
    for (const name of files.filter((file) => /^(?:functions|tables|steps)\//.test(file))) {
      const statement = /^(?:create|alter|drop|do) .*$/m.exec(read(name))?.[0] ?? assert.fail(name);
      assert.ok(built.includes(statement.replaceAll(/\s+/g, " ")), name);
    }
  });

  test("has one function a file, named for it", () => {
    for (const name of files.filter((file) => file.startsWith("functions"))) {
      const names = Array.from(
        read(name).matchAll(/^create or replace function \w+\.(?:chat_)?(\w+)\(/gm),
        ([, found = ""]) => found.replaceAll("_", "-"),
      );
      assert.ok(names.length === 1 && name.endsWith(`/${names[0]}.sql`), `${name}: ${names.join(", ")}`);
    }
  });

  test("numbers its steps from 1 on, with versions that never fall", () => {
    const steps = files.filter((file) => file.startsWith("steps/")).toSorted();
    const versions = steps.map((name) => Number(/^-- version (\d+)$/m.exec(read(name))?.[1]));
    assert.deepEqual(
      steps.map((name) => Number(/(\d{3})-[a-z-]+\.sql$/.exec(name)?.[1])),
      steps.map((_, index) => index + 1),
    );
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
    );
  });

  test("has no line of more than 120 columns but messages and policies, and no comment of more than 110", () => {
    // A policy whose text changes is created again, which locks its table.
    for (const name of files.filter((file) => !file.startsWith("policies/")))
      for (const line of read(name).split("\n")) {
        assert.ok(line.length <= 120 || /raise exception/.test(line), `${name}: ${line}`);
        assert.ok(line.length <= 110 || !line.includes("-- "), `${name}: ${line}`);
      }
  });
});
