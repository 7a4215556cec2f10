/** The settings of the chat page: a key that everyone may read, and nothing that changes the store. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError, parseConfig } from "../../src/config/config.ts";

const supabase = { AUTH: "supabase", SUPABASE_URL: "https://x.supabase.co" };

/** Returns a token with `role`, with a made-up signature. */
function toToken(role: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "HS256" })}.${encode({ iss: "supabase", role })}.AAAA`;
}

describe("the settings of the page", () => {
  test("leave the page on, called Foreword, without a key unless users sign in", () => {
    assert.deepEqual(parseConfig({}).app.page, { title: "Foreword", supabaseKey: undefined });
    const unused = parseConfig({ SUPABASE_URL: supabase.SUPABASE_URL, SUPABASE_ANON_KEY: "a" });
    assert.equal(unused.app.page?.supabaseKey, undefined);
    for (const word of ["off", "OFF", "false", "0"])
      assert.equal(parseConfig({ PAGE: word }).app.page, undefined);
  });

  test("give the page a key of its own, which does not choose the store", () => {
    const own = parseConfig({ ...supabase, PAGE_SUPABASE_KEY: "sb_publishable_x" }).app;
    assert.deepEqual([own.page?.supabaseKey, own.store.type], ["sb_publishable_x", "embedded"]);
    const both = parseConfig({ ...supabase, PAGE_SUPABASE_KEY: "own", SUPABASE_ANON_KEY: "other" }).app;
    assert.deepEqual([both.page?.supabaseKey, both.store.type], ["own", "supabase"]);
    assert.equal(
      parseConfig({ ...supabase, SUPABASE_ANON_KEY: toToken("anon") }).app.page?.supabaseKey,
      toToken("anon"),
    );
  });

  test("refuse a secret key, which the page would show to everyone", () => {
    for (const key of ["sb_secret_x", toToken("service_role"), toToken("authenticated"), toToken("postgres")])
      for (const name of ["PAGE_SUPABASE_KEY", "SUPABASE_ANON_KEY"])
        assert.throws(
          () => parseConfig({ ...supabase, [name]: key }),
          (error) =>
            error instanceof ConfigError &&
            error.problems.length === 1 &&
            error.message.includes(`${name} is a secret key`) &&
            !error.message.includes(key),
        );
    assert.equal(
      parseConfig({ ...supabase, SUPABASE_ANON_KEY: "sb_secret_x", PAGE: "off" }).app.page,
      undefined,
    );
  });

  test("refuse a key without users who sign in, a long name and a key that no header can hold", () => {
    assert.throws(() => parseConfig({ PAGE_SUPABASE_KEY: "x" }), /PAGE_SUPABASE_KEY requires AUTH=supabase/);
    assert.throws(
      () => parseConfig({ PAGE_TITLE: "x".repeat(101) }),
      /PAGE_TITLE must be at most 100 characters/,
    );
    assert.throws(
      () => parseConfig({ ...supabase, PAGE_SUPABASE_KEY: "sb…" }),
      /PAGE_SUPABASE_KEY must contain only ASCII/,
    );
  });
});
