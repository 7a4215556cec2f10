/** Waits for what a client shows. */

/** Waits that look again whenever something may have changed. */
export class Looks {
  readonly #looks = new Set<() => void>();

  /** Has every wait look again. */
  readonly again = (): void => {
    for (const look of this.#looks) look();
  };

  /** Resolves once `isIt`, called now and at every look, returns true. */
  async until(isIt: () => boolean): Promise<void> {
    if (isIt()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (isIt()) resolve();
    };
    this.#looks.add(look);
    await promise;
    this.#looks.delete(look);
  }
}
