/** Owns the contract on a real Postgres. */
import { after } from "node:test";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { runContract } from "./contract-suite.ts";

const harness = await startPostgresHarness();
runContract("Postgres", async () => ({ ...harness.variables }));
after(() => harness.stop());
