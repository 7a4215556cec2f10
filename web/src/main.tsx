/** Starts the page. */
import { createClient } from "foreword-client";
import { render } from "preact";
import { App } from "./app.tsx";
import { Closed } from "./closed.tsx";
import { changes } from "./base/changes.ts";
import { findClosedReason } from "./base/closed-reason.ts";
import { parsePageConfig } from "./base/config.ts";
import { PageContext } from "./base/page-context.ts";
import { Network } from "./base/network.ts";
import { PreferenceStore } from "./base/preferences.ts";
import { readLocalUser } from "./base/user.ts";
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
if (root !== null) {
  const reason = findClosedReason(config, isSecureContext);
  render(reason === undefined ? open() : <Closed title={config.title} reason={reason} />, root);
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

/** Returns the page of the user that this browser keeps, connected to the server and to other tabs. */
function open() {
  const userId = readLocalUser();
  // `keepalive`: a deletion arrives even if it is sent because the page is closed.
  const network = new Network((input, init) =>
    fetch(input, { ...init, keepalive: init?.method === "DELETE" }),
  );
  const client = createClient({ baseUrl: new URL(".", location.href).href, userId, fetch: network.fetch });
  for (const type of ["online", "offline"]) addEventListener(type, () => network.setOnline(navigator.onLine));
  changes.connect(new BroadcastChannel("foreword"));
  return (
    <PageContext.Provider value={{ config, client, network, preferences, userId }}>
      <App />
    </PageContext.Provider>
  );
}
