/** Owns the contract on the embedded database. */
import { after } from "node:test";
import { makeFolder } from "../support/apps/start-app.ts";
import { runContract } from "./contract-suite.ts";

const folder = await makeFolder();
runContract("PGlite", async () => ({ DATA_DIR: folder.path }));
after(() => folder.remove());
