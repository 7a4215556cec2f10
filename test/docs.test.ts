/** The docs are complete: every error code, setting and dependency is in them. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { variableNames } from "../src/config/variables.ts";
import { errorTable } from "../src/base/errors.ts";

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");

describe("the docs", () => {
  test("list every error code with its status, and no other", () => {
    const rows = Array.from(
      read("docs/errors.md").matchAll(/^\| `(\w+)` \| (\d+) \|/gm),
      ([, code, status]) => [code, Number(status)],
    );
    assert.deepEqual(
      rows,
      Object.entries(errorTable).map(([code, { status }]) => [code, status]),
    );
  });

  test("list every variable, in README and in .env.example, and no other", () => {
    const example = Array.from(read(".env.example").matchAll(/^#?([A-Z_]+)=/gm), ([, name]) => name ?? "");
    assert.deepEqual(example.toSorted(), [...variableNames].toSorted());
    const table = read("README.md").split("## Configuration")[1]?.split("## Commands")[0] ?? "";
    const rows = Array.from(table.matchAll(/`([A-Z]{2,}(?:_[A-Z]+)*)`/g), ([, name]) => name ?? "");
    assert.deepEqual(Array.from(new Set(rows)).toSorted(), [...variableNames].toSorted());
  });

  test("name only files that exist, in ARCHITECTURE.md and decisions.md", () => {
    const places = ["", "src/"].map((place) => new URL(`../${place}`, import.meta.url));
    for (const doc of ["ARCHITECTURE.md", "docs/decisions.md"])
      for (const [, path = ""] of read(doc).matchAll(
        /`([\w.-]+\/(?:[\w./-]+\.(?:ts|sql|md)|(?:[\w.-]+\/)*))`/g,
      ))
        assert.ok(
          places.some((place) => existsSync(new URL(path, place))),
          `${doc} names ${path}`,
        );
  });

  test("name every dependency with its reason in decisions.md", () => {
    const { dependencies, devDependencies } = JSON.parse(read("package.json"));
    const text = read("docs/decisions.md");
    const names = [...Object.keys(dependencies), ...Object.keys(devDependencies)].filter(
      (name) => !/^@types\/|postgres-\d\d$/.test(name),
    );
    for (const name of names) assert.ok(text.includes(`\`${name}\``), name);
  });
});
