/** The page of a server that can give it no chat. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { en } from "../../web/src/strings/en.ts";
import { de } from "../../web/src/strings/de.ts";
import { useModel } from "../support/apps/use-app.ts";
import { assertAccessible } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { findClosedReason } from "../../web/src/base/closed-reason.ts";

describe("the page of a server for other servers", { timeout: 60_000, skip: withoutBrowser }, () => {
  const { visit } = usePage(useModel(), { AUTH: "keys", API_KEYS: randomUUID() });

  test("says that it has no chat, leads to the API, and asks for nothing that needs a key", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    await page.getByText(en.page.needsKeys).waitFor();
    assert.equal(await page.getByRole("link", { name: en.page.docs }).getAttribute("href"), "./docs");
    await assertAccessible(page);
  });
});

test("a page without a chat has its reason, in both languages", () => {
  const supabase = { url: "https://project.example", key: "public" };
  const reasonOf = (auth: "none" | "keys" | "supabase", isSecure: boolean, project?: typeof supabase) =>
    findClosedReason({ auth, title: "Foreword", ...(project && { supabase: project }) }, isSecure);
  assert.equal(reasonOf("none", true), undefined);
  assert.equal(reasonOf("none", false), "needsHttps");
  for (const isSecure of [true, false]) {
    assert.equal(reasonOf("keys", isSecure), "needsKeys");
    assert.equal(reasonOf("supabase", isSecure), "noSignIn");
    assert.equal(reasonOf("supabase", isSecure, supabase), isSecure ? undefined : "needsHttps");
  }
  for (const reason of ["needsKeys", "needsHttps", "noSignIn"] as const)
    assert.notEqual(de.page[reason], en.page[reason]);
});
