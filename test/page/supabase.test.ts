/** The page of a Supabase project: what people do most, and signing in, which shows no one else's rows. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { useWeb } from "../support/web/scripted-web.ts";
import { testReplies } from "./main-flows.ts";
import {
  ask,
  assertChat,
  assertShows,
  button,
  chooseAction,
  messageField,
  rowsOf,
  untilOver,
} from "./person.ts";
import { assertAccessible, assertNoSidewaysScroll } from "../support/browser/accessibility.ts";
import { changeSession, emailField, passwordField, signIn, useSignInPage } from "./sign-in-page.ts";

const words = en.signIn;
const { history } = en;

describe("the page of a Supabase project", { timeout: 240_000, skip: withoutBrowser }, () => {
  const web = useWeb("suite");
  const { model, auth, visit } = useSignInPage(() => web.variables);
  const { settings } = auth;
  beforeEach(() => {
    auth.settings = settings;
    auth.fault = undefined;
  });

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

  test("offers to load itself again if the part for signing in is gone", async () => {
    const visitor = await visit();
    visitor.expectProblems(/404|Failed to load|MIME/);
    const parts = /\/assets\/sign-in/;
    await visitor.context.route(parts, async (route) => await route.fulfill({ status: 404, body: "{}" }));
    const page = await visitor.open();
    await page.getByRole("alert").filter({ hasText: en.page.loadFailed }).waitFor();
    await visitor.context.unroute(parts);
    await button(page, en.page.reload).click();
    await emailField(page).waitFor();
  });

  test("signs in by the link of an e-mail, back at the conversation, and says why a link does not work", async () => {
    const { id } = auth.addUser("link@example.test", undefined);
    const visitor = await visit();
    const page = await visitor.open(`/#/c/${id}`);
    visitor.expectProblems(/status of 40[04]/);
    await button(page, words.ways.link).click();
    await emailField(page).fill("link@example.test");
    await button(page, words.submits.link).click();
    await page.getByText(words.sent("link@example.test")).waitFor();
    const link = auth.mails.at(-1)?.link ?? "";
    const other = await visit();
    other.expectProblems(/status of 40/);
    const stranger = await other.open(link);
    await stranger.getByText(words.problems.otherBrowser).waitFor();
    await stranger.goto(link);
    await stranger.getByText(words.problems.expired).waitFor();
    assert.equal(new URL(stranger.url()).search + new URL(stranger.url()).hash, "");
    await button(page, words.sendAgain).click();
    await page.getByText(words.sentAgain).waitFor();
    await page.goto(auth.mails.at(-1)?.link ?? "");
    await page.getByText(en.chat.missing).waitFor();
    assert.match(page.url(), new RegExp(`^[^?]+/#/c/${id}$`));
  });

  test("creates an account, whose address is confirmed by a code", async () => {
    auth.isAutoConfirming = false;
    const visitor = await visit();
    visitor.expectProblems(/status of 4/);
    const page = await visitor.open();
    await button(page, words.ways.signUp).click();
    await emailField(page).fill("new@example.test");
    await page.getByLabel(words.newPassword, { exact: true }).fill("short");
    await button(page, words.submits.signUp).click();
    await page.getByText(words.problems.weakPassword).waitFor();
    await page.getByLabel(words.newPassword, { exact: true }).fill("long enough");
    await button(page, words.submits.signUp).click();
    await page.getByLabel(words.code).fill("000000");
    await button(page, words.submits.code).click();
    await page.getByText(words.problems.expired).waitFor();
    await page.getByLabel(words.code).fill(auth.mails.at(-1)?.code ?? "");
    await button(page, words.submits.code).click();
    await page.getByText("new@example.test").waitFor();
  });

  test("sets a new password in place of a forgotten one", async () => {
    auth.addUser("forgot@example.test", "old password");
    const visitor = await visit();
    visitor.expectProblems(/status of 422/);
    const page = await visitor.open();
    await button(page, words.ways.reset).click();
    await emailField(page).fill("forgot@example.test");
    await button(page, words.submits.reset).click();
    await page.getByLabel(words.code).waitFor(); // the mail is there now
    await page.getByLabel(words.code).fill(auth.mails.at(-1)?.code ?? "");
    await button(page, words.submits.code).click();
    await page.getByLabel(words.newPassword, { exact: true }).fill("old password");
    await button(page, words.submits.newPassword).click();
    await page.getByText(words.problems.samePassword).waitFor();
    await page.getByLabel(words.newPassword, { exact: true }).fill("new password");
    await button(page, words.submits.newPassword).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await button(page, words.signOut).click();
    await signIn(page, "forgot@example.test", "new password");
  });

  test("signs in with a provider that the project has, or says that it refused", async () => {
    auth.settings = { ...auth.settings, external: { email: false, github: true, phone: true } };
    const visitor = await visit();
    const page = await visitor.open();
    await button(page, words.continueWith("GitHub")).click();
    await page.getByText(words.problems.refused).waitFor();
    assert.equal(await emailField(page).count(), 0);
    auth.providerEmail = "octo@example.test";
    await button(page, words.continueWith("GitHub")).click();
    await page.getByText("octo@example.test").waitFor();
    assert.match(page.url(), /^[^?]+\/(?:#\/)?$/);
  });

  test("asks over the chat when a session has ended, then sends again what was refused", async () => {
    auth.addUser("ends@example.test", "a password");
    const visitor = await visit();
    visitor.expectProblems(/status of 40[01]/);
    const page = await visitor.open();
    await signIn(page, "ends@example.test", "a password");
    for (const [change, problem] of [
      [{ expires_at: 1 }, words.problems.sessionEnded],
      [{ access_token: "refused" }, words.problems.tokenRefused],
    ] as const) {
      auth.endSessions();
      await changeSession(page, change);
      model.say("- Go on\n---RESPONSE---\nHere.");
      await messageField(page).fill("Still there?");
      await messageField(page).press("Enter");
      const dialog = page.getByRole("dialog", { name: words.title });
      await dialog.getByText(problem).waitFor();
      assert.equal(await emailField(page).inputValue(), "ends@example.test");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Escape");
      await passwordField(page).fill("a password");
      await button(page, words.submits.password).click();
      await dialog.waitFor({ state: "hidden" });
      await page.getByText("Here.").last().waitFor();
      await untilOver(page);
      await button(page, en.history.newChat).first().click();
    }
  });

  test("stays signed in while the project cannot be reached, and refreshes its token afterwards", async () => {
    auth.addUser("away@example.test", "a password");
    const visitor = await visit();
    visitor.expectProblems(/net::ERR|status of 50/);
    const page = await visitor.open();
    await signIn(page, "away@example.test", "a password");
    await changeSession(page, { expires_at: 1 });
    auth.fault = "away";
    const refreshes = auth.refreshes;
    await page.reload();
    await page.getByText("away@example.test").waitFor();
    await page.getByText(en.chat.reconnecting).waitFor();
    auth.fault = undefined;
    await page.evaluate("dispatchEvent(new Event('online'))");
    await page.getByText(en.history.noConversations).waitFor();
    assert.equal(auth.refreshes, refreshes + 1);
    auth.fault = "away";
    const other = await visit();
    other.expectProblems(/net::ERR|status of 50/);
    const stranger = await other.open();
    await stranger.getByText(words.problems.unreachable).waitFor();
    auth.fault = undefined;
    await button(stranger, words.tryAgain).click();
    await emailField(stranger).waitFor();
    auth.fault = { status: 429, code: "over_request_rate_limit" };
    other.expectProblems(/status of 429/);
    await emailField(stranger).fill("away@example.test");
    await passwordField(stranger).fill("a password");
    await button(stranger, words.submits.password).click();
    await stranger.getByText(words.problems.tooMany).waitFor();
    auth.fault = undefined;
  });

  test("shows one user in all tabs: a sign-out or another user in one of them reaches the others", async () => {
    auth.addUser("one@example.test", "a password");
    auth.addUser("two@example.test", "a password");
    const visitor = await visit();
    const first = await visitor.open();
    const second = await visitor.open();
    await emailField(second).waitFor();
    await signIn(first, "one@example.test", "a password");
    await second.getByText("one@example.test").waitFor();
    model.say("- Greet\n---RESPONSE---\nHello, One.");
    await ask(second, "I am One");
    await assertChat(second, "> I am One", "[Greet] Hello, One.");
    await messageField(second).fill("A draft of One");
    await button(first, words.signOut).click();
    await emailField(second).waitFor();
    await signIn(second, "two@example.test", "a password");
    await first.getByText("two@example.test").waitFor();
    for (const page of [first, second]) {
      await page.getByText(en.history.noConversations).waitFor();
      assert.equal(await messageField(page).inputValue(), "");
      assert.doesNotMatch(await page.locator("body").innerText(), /One/);
    }
    assert.doesNotMatch(String(await first.evaluate("JSON.stringify(localStorage)")), /draft of One/);
  });

  for (const device of [
    { colorScheme: "light", size: { width: 320, height: 640 } },
    { colorScheme: "dark", locale: "de-DE" },
  ] as const)
    test(`has nothing for axe to find, ${device.colorScheme}`, async () => {
      auth.settings = { ...auth.settings, external: { email: true, github: true, phone: false } };
      const visitor = await visit(device);
      visitor.expectProblems(/status of 400/);
      const page = await visitor.open();
      await page.locator("input[type=email]").fill("ada@example.test");
      await page.locator("input[type=password]").fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByRole("paragraph").waitFor();
      await assertAccessible(page);
      await assertNoSidewaysScroll(page);
    });

  /** Opens the page of a new user, who signs in. */
  async function enter() {
    const email = `${randomUUID()}@example.test`;
    auth.addUser(email, "a password");
    const visitor = await visit();
    const page = await visitor.open();
    await signIn(page, email, "a password");
    return { visitor, page };
  }

  testReplies({ model, web, enter });

  test("lists conversations in both tabs, finds, renames, archives and deletes them, and undoes that", async () => {
    const { visitor, page } = await enter();
    for (const [question, answer] of [
      ["Trains to Oslo", "By night, from Hamburg."],
      ["Fish soup", "With saffron."],
    ] as const) {
      model.say(`- Think\n---RESPONSE---\n${answer}`);
      await button(page, history.newChat).click();
      await ask(page, question);
      await assertChat(page, `> ${question}`, `[Think] ${answer}`);
      await untilOver(page);
    }
    const other = await visitor.open();
    await assertShows(rowsOf(other), "Fish soup", "Trains to Oslo");
    await page.getByRole("searchbox", { name: history.search }).fill("hamburg");
    await assertShows(page.locator(".history-title"), "Trains to Oslo");
    await assertShows(page.locator(".history-excerpt mark"), "Hamburg");
    await page.getByRole("searchbox").fill("");
    await chooseAction(page, "Fish soup", history.rename);
    await page.getByRole("textbox", { name: history.newTitle }).fill("Soup");
    await page.keyboard.press("Enter");
    for (const tab of [page, other]) await assertShows(rowsOf(tab), "Soup", "Trains to Oslo");
    await chooseAction(page, "Soup", history.archive);
    for (const tab of [page, other]) await assertShows(rowsOf(tab), "Trains to Oslo");
    await undo(page, history.notices.archived("Soup"));
    for (const tab of [page, other]) await assertShows(rowsOf(tab), "Soup", "Trains to Oslo");
    await page.clock.install();
    await chooseAction(page, "Soup", history.delete);
    await assertShows(rowsOf(page), "Trains to Oslo");
    await page.clock.runFor(2_000);
    await undo(page, history.notices.deleted("Soup"));
    await assertShows(rowsOf(page), "Soup", "Trains to Oslo");
    await chooseAction(page, "Soup", history.delete);
    const deleted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await page.clock.runFor(8_000);
    await deleted;
    for (const tab of [page, other]) await assertShows(rowsOf(tab), "Trains to Oslo");
  });
});

/** Undoes what a notice tells. */
async function undo(page: Page, notice: string): Promise<void> {
  await button(page.locator(".history-notice", { hasText: notice }), history.undo).click();
}
