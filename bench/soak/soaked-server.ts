/** A server of this checkout under a steady load, and samples of its size. */
import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { makeTemporaryFolder } from "../clean-up.ts";
import { readResidentKib } from "../load/process-usage.ts";
import { findTemplate, startForeword, type RunningServer } from "../peers/foreword.ts";
import { toPath } from "../program.ts";
import type { Sample } from "./metrics.ts";
import { SoakLoad } from "./soak-load.ts";
import { openSoaked, readSizes, type SoakedStore, type StoreName } from "./soaked-stores.ts";

const Meter = z.object({ p99Ms: z.number(), heapBytes: z.number() });

/** Everything on, with limits that are counted and never reached. */
const variables = {
  LIMIT_REQUESTS_PER_MINUTE: "100000",
  LIMIT_CONCURRENT_TURNS: "1000",
  LIMIT_TOKENS_PER_DAY: "1000000000",
};

/** One server, its store, its load and its samples. */
export class SoakedServer {
  readonly name: StoreName;
  readonly load: SoakLoad;
  readonly #server: RunningServer;
  readonly #store: SoakedStore;
  readonly #dataDir: string;
  #startMs = 0;
  readonly #samples: (() => Promise<Sample>)[] = [];

  private constructor(name: StoreName, server: RunningServer, store: SoakedStore, dataDir: string) {
    this.name = name;
    this.#server = server;
    this.#store = store;
    this.#dataDir = dataDir;
    this.load = new SoakLoad(server.url);
  }

  /** Starts one on a store that is empty but for some images, whose log has been filled by them. */
  static async start(name: StoreName, upstreamUrl: string): Promise<SoakedServer> {
    const { path } = await makeTemporaryFolder();
    const dataDir = join(path, "data");
    if (name === "pglite") await cp(await findTemplate(), dataDir, { recursive: true });
    const store = await openSoaked(name, dataDir);
    const server = await startForeword({
      upstreamUrl,
      dataDir,
      variables: { ...store.variables, ...variables },
      nodeOptions: ["--expose-gc", "--import", toPath("peers/loop-delay-meter.ts")],
    });
    const soaked = new SoakedServer(name, server, store, dataDir);
    await soaked.load.fillLog();
    return soaked;
  }

  /** Starts the load, of `rate` visits a second. */
  begin(rate: number): void {
    this.#startMs = performance.now();
    this.load.begin(rate);
  }

  /** Takes a sample; resolves with a line about it. */
  async sample(): Promise<string> {
    const minute = (performance.now() - this.#startMs) / 60_000;
    const { turns, failures } = this.load;
    const { pid } = this.#server.program;
    const { p99Ms: loopDelayMs, heapBytes } = await this.#server.program.tell(Meter, "collect");
    const [store, descriptors, journal] = await Promise.all([
      this.#store.measure(),
      readdir(`/proc/${pid}/fd`),
      readSizes(join(this.#dataDir, "journal")),
    ]);
    const residentBytes = readResidentKib(pid) * 1024;
    const own = {
      minute,
      turns,
      residentBytes,
      descriptors: descriptors.length,
      heapBytes,
      loopDelayMs,
      journalBytes: Array.from(journal.values()).reduce((sum, bytes) => sum + bytes, 0),
    };
    this.#samples.push(async () => ({ ...own, ...(await store()) }));
    const mebibytes = (residentBytes / 2 ** 20).toFixed(0);
    return `${this.name}: ${turns} turns, ${failures} failures, ${mebibytes} MiB, ${descriptors.length} descriptors`;
  }

  /** Ends the load and then the server, as an operator does; resolves with all samples. */
  async end(): Promise<readonly Sample[]> {
    await this.load.stop();
    await this.#server.program.stop();
    return await Promise.all(this.#samples.map(async (read) => await read()));
  }
}
