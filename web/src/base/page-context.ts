/** What every component may use: the client of the server, and the configuration. */
import type { ForewordClient } from "./foreword-client.ts";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { UserBases } from "../knowledge/user-bases.ts";
import type { PageConfig } from "./config.ts";
import type { Network } from "./network.ts";
import type { PreferenceStore } from "./preferences.ts";

/** The services of the page for one user. */
export interface PageServices {
  readonly config: PageConfig;
  readonly client: ForewordClient;
  /** Absent if the server has no knowledge bases. */
  readonly knowledge?: UserBases;
  readonly network: Network;
  readonly preferences: PreferenceStore;
  /** Tells users apart in what the browser keeps, like drafts. */
  readonly userId: string;
  /** The user's account, if they sign in. */
  readonly account?: {
    readonly email: string | undefined;
    /** Ends the session of this device, and forgets the user. */
    readonly signOut: () => Promise<void>;
  };
}

/** Provides {@link PageServices}. */
export const PageContext = createContext<PageServices | undefined>(undefined);

/** Returns the services of the page. */
export function usePage(): PageServices {
  const services = useContext(PageContext);
  if (services === undefined) throw new Error("outside of the page");
  return services;
}
