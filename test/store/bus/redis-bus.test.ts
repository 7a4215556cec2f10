/** A Redis as the bus, by itself. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { RedisBus } from "../../../src/store/bus/redis-bus.ts";
import { useRedis, withoutRedis } from "../../support/databases/redis-server.ts";

describe("RedisBus", { timeout: 60_000, skip: withoutRedis }, () => {
  const redis = useRedis();

  /** A bus that is up, the turns that it was told are saved, and the troubles that it has told. */
  async function open(context: TestContext) {
    const troubles: (string | undefined)[] = [];
    const saved: string[] = [];
    const told = { changed: () => {} };
    const bus = new RedisBus({ url: redis.url }, systemClock, (trouble) => troubles.push(trouble));
    context.after(() => bus.close());
    const untilTold = async (isIt: () => boolean): Promise<void> => {
      while (!isIt()) {
        const { promise, resolve } = Promise.withResolvers<void>();
        told.changed = resolve;
        await promise;
      }
    };
    bus.listen({
      onFollowed: () => {},
      onSaved: (ids) => {
        saved.push(...ids);
        told.changed();
      },
      onChange: () => told.changed(),
    });
    await untilTold(() => bus.isUp);
    return { bus, saved, troubles, untilTold };
  }

  test("sends the wake-ups that are left when it is closed", async (context) => {
    const [one, other] = [await open(context), await open(context)];
    one.bus.send("saved", ["first"]);
    await Promise.resolve();
    one.bus.send("saved", ["second"]);
    await one.bus.close();
    await other.untilTold(() => other.saved.length === 2);
    assert.deepEqual(other.saved, ["first", "second"]);
  });

  test("says that its connection was closed, and names no setting of its client", async (context) => {
    const { troubles, untilTold } = await open(context);
    await redis.command("CLIENT", "KILL", "TYPE", "normal");
    await untilTold(() => troubles.length === 2);
    assert.deepEqual(troubles, ["the connection was closed", undefined]);
  });
});
