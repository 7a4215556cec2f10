/** The contract on the embedded database. */
import { startPglite } from "../support/databases/store-harness.ts";
import { runContract } from "./contract-suite.ts";

runContract("PGlite", startPglite);
