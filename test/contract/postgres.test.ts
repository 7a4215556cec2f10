/** The contract on a real Postgres. */
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { runContract } from "./contract-suite.ts";

runContract("Postgres", startPostgresHarness);
