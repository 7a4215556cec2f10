/** The page of a Supabase project with its auth server, for suites that sign in as a person does. */
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { AuthServer } from "../support/apps/auth-server.ts";
import { useDatabase, useModel } from "../support/apps/use-app.ts";
import type { Device, Visitor } from "../support/browser/visitor.ts";
import { usePage } from "../support/browser/use-page.ts";
import { startSupabaseHarness } from "../support/databases/store-harness.ts";
import { button, messageField } from "./person.ts";

const words = en.signIn;

/** A project, the app with its page, and a browser; `more` are further variables. */
export function useSignInPage(more: () => Readonly<Record<string, string>> = () => ({})) {
  const model = useModel();
  const auth = new AuthServer();
  const database = useDatabase(async () => {
    const harness = await startSupabaseHarness({
      auth: (request, response) => void auth.handle(request, response),
    });
    auth.url = harness.stack.url;
    auth.anonKey = harness.stack.anonKey;
    auth.sign = (userId, claims) => harness.stack.userToken(userId, claims);
    return harness;
  });
  const { visit } = usePage(
    model,
    () => ({
      AUTH: "supabase",
      SUPABASE_ANON_KEY: auth.anonKey,
      SUPABASE_JWT_SECRET: database.harness.stack.jwtSecret,
      ...more(),
    }),
    { database },
  );
  return {
    model,
    auth,
    database,
    visit: async (device: Device = {}): Promise<Visitor> => await visit({ ...device, project: auth.url }),
  };
}

/** The field of the address. */
export const emailField = (page: Page) => page.getByRole("textbox", { name: words.email });

/** The field of the password. */
export const passwordField = (page: Page) => page.getByLabel(words.password, { exact: true });

/** Signs in with a password, and waits for the chat. */
export async function signIn(page: Page, email: string, password: string): Promise<void> {
  await emailField(page).fill(email);
  await passwordField(page).fill(password);
  await button(page, words.submits.password).click();
  await messageField(page).waitFor();
}

/** Changes the session in the browser's storage, as time or a server would. */
export async function changeSession(page: Page, change: Readonly<Record<string, unknown>>): Promise<void> {
  await page.evaluate(
    `localStorage.setItem("foreword.session", JSON.stringify({ ...JSON.parse(localStorage.getItem("foreword.session")), ...${JSON.stringify(change)} }))`,
  );
}
