/** A network for readers that stop reading: its sockets buffer little. */
import { once } from "node:events";
import { spawn } from "node:child_process";
import { atEnd } from "../clean-up.ts";

const script = `
  ip link set lo mtu 1500 up &&
  echo 4096 16384 65536 > /proc/sys/net/ipv4/tcp_wmem && echo 4096 16384 65536 > /proc/sys/net/ipv4/tcp_rmem &&
  echo ready && exec cat`;

/** A network, as the words that precede a command to run in it; none if the system forbids to create one. */
export interface Network {
  readonly prefix: readonly string[];
  close(): Promise<void>;
}

/** Creates a network. Its keeper waits for the end of its input, so that it does not outlive this process. */
export async function makeSmallNetwork(): Promise<Network> {
  const keeper = spawn("unshare", ["-rn", "sh", "-c", script], { stdio: ["pipe", "pipe", "ignore"] });
  const exit = Promise.race([once(keeper, "exit"), once(keeper, "error")]);
  const isReady = await Promise.race([once(keeper.stdout, "data").then(() => true), exit.then(() => false)]);
  if (!isReady) return { prefix: [], close: async () => {} };
  const close = atEnd(async () => {
    keeper.kill("SIGKILL");
    await exit;
  });
  return {
    prefix: ["nsenter", "-t", `${keeper.pid}`, "-U", "--preserve-credentials", "-n"],
    close,
  };
}
