/** Signing in to the page with Supabase, and out again: no user ever sees another's rows. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { en } from "../../web/src/strings/en.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { ask, assertChat, button, messageField, untilOver } from "./person.ts";
import { emailField, passwordField, signIn, useSignInPage } from "./sign-in-page.ts";

const words = en.signIn;

describe("the page of a Supabase project", { timeout: 240_000, skip: withoutBrowser }, () => {
  const { model, auth, visit } = useSignInPage();

  test("signs in by password; after signing out, nothing of the user is shown or kept", async () => {
    auth.addUser("ada@example.test", "correct horse");
    auth.addUser("bob@example.test", "battery staple");
    const visitor = await visit();
    visitor.expectProblems(/status of 400/);
    const page = await visitor.open();
    await emailField(page).fill("ada@example.test");
    await passwordField(page).fill("wrong");
    await button(page, words.submits.password).click();
    await page.getByText(words.problems.wrongPassword).waitFor();
    await signIn(page, "ada@example.test", "correct horse");
    model.say("- Greet\n---RESPONSE---\nHello, Ada.");
    await ask(page, "I am Ada");
    await assertChat(page, "> I am Ada", "[Greet] Hello, Ada.");
    await untilOver(page);
    await messageField(page).fill("An unsent secret");
    const address = page.url();
    await button(page, words.signOut).click();
    await emailField(page).waitFor();
    assert.equal(auth.hasSessions, false);
    assert.equal(
      await page.evaluate("JSON.stringify(Object.keys(localStorage).toSorted())"),
      `["foreword.user"]`,
    );
    assert.doesNotMatch(await page.locator("body").innerText(), /Ada|secret/);
    await signIn(page, "bob@example.test", "battery staple");
    await page.getByText(en.history.noConversations).waitFor();
    assert.equal(await messageField(page).inputValue(), "");
    visitor.expectProblems(/status of 404/);
    await page.goto(address);
    await page.getByText(en.chat.missing).waitFor();
    assert.doesNotMatch(await page.locator("body").innerText(), /Ada|secret/);
  });
});
