/** Owns the promise that no process of the bench outlives it: loaded into each of them before its program. */

process.on("disconnect", () => process.exit());
// The channel itself must not keep a program alive that is done.
process.channel?.unref();
