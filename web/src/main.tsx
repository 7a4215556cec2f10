/** Starts the page. */
import { render, type VNode } from "preact";
import { App } from "./app.tsx";
import { Closed } from "./closed.tsx";
import { changes } from "./base/changes.ts";
import { findClosedReason } from "./base/closed-reason.ts";
import { parsePageConfig } from "./base/config.ts";
import { createClients } from "./base/create-clients.ts";
import { fetchOrSend } from "./base/file-sending.ts";
import { PageContext } from "./base/page-context.ts";
import { Network } from "./base/network.ts";
import { PreferenceStore } from "./base/preferences.ts";
import { readLocalUser } from "./base/user.ts";
import { LoadFailed } from "./load-failed.tsx";
import { language, setLanguage } from "./strings/strings.ts";
import "./styles/theme.css";
import "./styles/page.css";

const meta = document.querySelector<HTMLMetaElement>('meta[name="foreword"]');
const config = parsePageConfig(meta?.content ?? "");
const root = document.querySelector("#page");

const preferences = new PreferenceStore(localStorage);
applyPreferences();
preferences.subscribe(applyPreferences);
addEventListener("storage", () => preferences.refresh());
document.title = config.title;
if (root !== null) void show(root);

async function show(place: Element): Promise<void> {
  const reason = findClosedReason(config, isSecureContext);
  render(reason === undefined ? await open() : <Closed title={config.title} reason={reason} />, place);
}

/** Sets the colours and the language; the components read the language when they render again. */
function applyPreferences(): void {
  const { theme, language: wanted } = preferences.state;
  const { documentElement } = document;
  if (theme === "system") delete documentElement.dataset["theme"];
  else documentElement.dataset["theme"] = theme;
  setLanguage(wanted);
  documentElement.lang = language;
}

/** Returns the page, connected to the server and to other tabs. */
async function open(): Promise<VNode> {
  // `keepalive`: a deletion arrives even if it is sent because the page is closed.
  const network = new Network((input, init) =>
    fetchOrSend(input, { ...init, keepalive: init?.method === "DELETE" }),
  );
  for (const type of ["online", "offline"]) addEventListener(type, () => network.setOnline(navigator.onLine));
  changes.connect(new BroadcastChannel("foreword"));
  if (config.supabase !== undefined) return await loadSignIn(config.supabase, network);
  const userId = readLocalUser();
  const clients = createClients({ userId, fetch: network.fetch }, config);
  return (
    <PageContext.Provider value={{ config, ...clients, network, preferences, userId }}>
      <App />
    </PageContext.Provider>
  );
}

/** Loads the code of signing in, which other pages do without. */
async function loadSignIn(project: NonNullable<typeof config.supabase>, network: Network): Promise<VNode> {
  try {
    const { openSignIn, SignInRoot } = await import("./sign-in/sign-in-root.tsx");
    return <SignInRoot services={openSignIn({ config, network, preferences }, project)} />;
  } catch {
    return <LoadFailed title={config.title} />;
  }
}
