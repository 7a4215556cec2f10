/** The page of a server whose users sign in with Supabase. */
import { useEffect, useMemo } from "preact/hooks";
import { App } from "../app.tsx";
import { goTo } from "../base/address.ts";
import { createClients } from "../base/create-clients.ts";
import { PageContext, type PageServices } from "../base/page-context.ts";
import { useStore } from "../base/use-store.ts";
import { strings } from "../strings/strings.ts";
import "../styles/sign-in.css";
import { AccountFetch } from "./account-fetch.ts";
import { Account } from "./account.ts";
import { createAuthClient, type Project } from "./auth-client.ts";
import { readReturned } from "./returned-address.ts";
import { SignInActions } from "./sign-in-actions.ts";
import { SignInContext, type BaseServices, type SignInServices } from "./sign-in-context.ts";
import { SignInDialog } from "./sign-in-dialog.tsx";
import { SignInView } from "./forms/sign-in-view.tsx";
import { keepPlace, takePlace, type AccountUser } from "./stored-session.ts";

/** Opens the account of this browser: its session, if it keeps one or the address brings a code for one. */
export function openSignIn(base: BaseServices, project: Project): SignInServices {
  const auth = createAuthClient(project, base.network);
  const account = new Account({
    auth,
    storage: localStorage,
    reload: () => {
      goTo(undefined, { replace: true });
      location.reload();
    },
    forgetFiles: () => void indexedDB.deleteDatabase("foreword"),
  });
  const actions = new SignInActions({
    auth,
    account,
    pageUrl: new URL(".", location.href).href,
    keepPlace: () => keepPlace(localStorage, location.hash),
  });
  for (const type of ["storage", "pageshow"]) addEventListener(type, () => account.look());
  document.addEventListener("visibilitychange", () => account.look());
  const found = readReturned(location.href);
  if (found !== undefined) {
    history.replaceState(
      undefined,
      "",
      found.clean + (location.hash.startsWith("#/") ? "" : takePlace(localStorage)),
    );
    dispatchEvent(new HashChangeEvent("hashchange")); // the history tells no one
  }
  void account.open(found?.returned.code, found?.returned.problem);
  return { ...base, project, auth, account, actions };
}

/** The page of the user, or the question who they are. */
export function SignInRoot({ services }: { readonly services: SignInServices }) {
  const { config, preferences, account } = services;
  useStore(preferences, ({ language }) => language);
  const user = useStore(account.store, (state) => state.user);
  const ask = useStore(account.store, (state) => state.ask);
  useEffect(() => {
    if (user === undefined) document.title = `${strings.signIn.title} · ${config.title}`;
  }, [user, config.title]);
  return (
    <SignInContext.Provider value={services}>
      {user === undefined ? (
        <main class="sign-in">
          <h1>{config.title}</h1>
          {ask === "signIn" ? <SignInView /> : <p role="status">{strings.signIn.wait}</p>}
        </main>
      ) : (
        <UserPage key={user.id} user={user} services={services} />
      )}
      {user !== undefined && (ask === "signIn" || ask === "newPassword") && <SignInDialog ask={ask} />}
    </SignInContext.Provider>
  );
}

/** The page of a signed-in user. */
function UserPage({ user, services }: { readonly user: AccountUser; readonly services: SignInServices }) {
  const page = useMemo(() => toPageServices(user, services), [user, services]);
  return (
    <PageContext.Provider value={page}>
      <App />
    </PageContext.Provider>
  );
}

function toPageServices(
  { id, email }: AccountUser,
  { config, network, preferences, auth, account }: SignInServices,
): PageServices {
  const requests = new AccountFetch(auth, account, network);
  const clients = createClients(requests.options, config);
  const signOut = async (): Promise<void> => {
    if (account.store.state.ask === "nothing") {
      dispatchEvent(new PageTransitionEvent("pagehide")); // parts that hold changes back send them now
      await requests.settle();
    }
    await account.signOut();
  };
  return { config, ...clients, network, preferences, userId: id, account: { email, signOut } };
}
