/** Starts the page. */
import { createClient } from "foreword-client";
import { render } from "preact";
import { App } from "./app.tsx";
import { changes } from "./base/changes.ts";
import { parsePageConfig } from "./base/config.ts";
import { PageContext } from "./base/page-context.ts";
import { readLocalUser } from "./base/user.ts";
import { language } from "./strings/strings.ts";
import "./styles/theme.css";
import "./styles/page.css";

const meta = document.querySelector<HTMLMetaElement>('meta[name="foreword"]');
const config = parsePageConfig(meta?.content ?? "");
const userId = readLocalUser();
const client = createClient({ baseUrl: new URL(".", location.href).href, userId });
const root = document.querySelector("#page");

changes.connect(new BroadcastChannel("foreword"));
document.documentElement.lang = language;
document.title = config.title;
if (root !== null)
  render(
    <PageContext.Provider value={{ config, client, userId }}>
      <App />
    </PageContext.Provider>,
    root,
  );
