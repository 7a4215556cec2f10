/** Owns the turns that run in this process, from their start to their last write. */
import { RunningTurn, type TurnPorts, type TurnRequest } from "../turn/run-turn.ts";
import { TurnLog } from "./turn-log.ts";

/** A turn that runs here. */
export interface LiveTurn {
  readonly log: TurnLog;
  /** Ends the turn as its user wishes. Harmless when it is over. */
  stop(): void;
}

/** All turns of the process. */
export class LiveTurns {
  readonly #ports: TurnPorts;
  readonly #running = new Set<RunningTurn>();
  #isDraining = false;

  constructor(ports: TurnPorts) {
    this.#ports = ports;
  }

  /** Whether the process is on its way out and takes no new turns. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** How many turns run. */
  get size(): number {
    return this.#running.size;
  }

  /** Starts a turn; it is owned here until its rows are stored. */
  start(request: TurnRequest): LiveTurn {
    const log = new TurnLog();
    const turn = new RunningTurn(request, this.#ports, (event) => log.append(event));
    this.#running.add(turn);
    void turn.done.then(() => this.#running.delete(turn));
    return { log, stop: () => turn.stop() };
  }

  /** Takes no new turns from now on; resolves when none runs any more: those that still do after `deadlineMs` are interrupted. */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    const deadline = this.#ports.clock.after(deadlineMs, () => {
      for (const turn of this.#running) turn.interrupt();
    });
    await Promise.all(Array.from(this.#running, (turn) => turn.done));
    deadline.cancel();
  }
}
