/** The files suite on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runFilesSuite } from "./files-suite.ts";

runFilesSuite("PGlite", startPglite);
