/** The docs are complete: every error code, setting and dependency is in them. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { variableNames } from "../src/config/variables.ts";
import { errorTable } from "../src/base/error-table.ts";
import { readPageProse, toAnchors } from "./support/docs/anchors.ts";

const root = join(import.meta.dirname, "..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const pages = globSync(["*.md", "docs/*.md", "bench/*.md", "findings/*.md", "packages/*/*.md"], {
  cwd: root,
});

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

  test("name only files that exist", () => {
    for (const page of pages.filter((name) => name !== "CHANGELOG.md"))
      for (const [, path = ""] of readPageProse(page).matchAll(
        /`((?:\.?[\w-]+\/)+[\w.-]+\.(?:ts|sql)|(?:[\w-]+\/)+)`/g,
      ))
        assert.ok(
          ["", "src", dirname(page)].some((place) => existsSync(join(root, place, path))),
          `${page} names ${path}`,
        );
  });

  test("link only to files and headings that exist", () => {
    for (const page of pages)
      for (const [link, path = "", anchor] of readPageProse(page).matchAll(
        /\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g,
      )) {
        const target = path === "" ? page : join(dirname(page), path);
        assert.ok(existsSync(join(root, target)), `${page} links to ${link}`);
        if (anchor !== undefined) assert.ok(toAnchors(target).has(anchor), `${page} links to ${link}`);
      }
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
