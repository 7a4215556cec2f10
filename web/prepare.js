/**
 * Builds the page when its dependencies are installed; without Vite it only says so. It is plain JavaScript,
 * since an older Node may install the server alone, which this must not fail.
 */
import { fileURLToPath } from "node:url";

const vite = await import("vite").catch((error) => {
  const reason = error.code === "ERR_MODULE_NOT_FOUND" ? "Vite is not installed" : error.message;
  process.stdout.write(`The chat page is not built (${reason}); the API works without it.\n`);
});
await vite?.build({ root: fileURLToPath(new URL(".", import.meta.url)), logLevel: "warn" });
