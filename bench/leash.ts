/** Ends a process with the bench: preloaded into each child. */

process.on("disconnect", () => process.exit());
// The channel itself must not keep a finished program alive.
process.channel?.unref();
