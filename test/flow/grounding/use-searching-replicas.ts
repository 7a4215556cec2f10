/** Two replicas that search the web, with a model and a search engine that a test scripts. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { useWeb } from "../../support/web/scripted-web.ts";

/** The replicas, started for each test on one database of the suite. */
export function useSearchingReplicas() {
  const model = useModel("test");
  const web = useWeb();
  const database = useDatabase(startPostgresHarness);
  const variables = (): Readonly<Record<string, string>> => web.variables;
  const here = useApp(model, variables, { database, lifetime: "test" });
  const there = useApp(model, variables, { database, lifetime: "test" });
  return { model, web, database, here, there };
}
