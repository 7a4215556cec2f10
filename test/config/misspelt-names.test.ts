/**
 * Misspelt names are reported with the setting they were meant to be; other programs' names are left alone.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { variableNames } from "../../src/config/variables.ts";
import { findMisspelt, findNearest } from "../../src/config/misspelt-names.ts";

describe("findMisspelt", () => {
  test("names the intended setting if letters are swapped, lost, doubled or in the wrong case", () => {
    for (const [name, meant] of [
      ["OPENAI_MODLE", "OPENAI_MODEL"],
      ["OPENAI_API_KEYS", "OPENAI_API_KEY"],
      ["OPEN_AI_API_KEY", "OPENAI_API_KEY"],
      ["openai_model", "OPENAI_MODEL"],
      ["OPENAI-MODEL", "OPENAI_MODEL"],
      ["OPENAI_BASEURL", "OPENAI_BASE_URL"],
      ["OPENAI_API_BASE", "OPENAI_BASE_URL"],
      ["DATABSE_URL", "DATABASE_URL"],
      ["SUPABASE_KEY", "SUPABASE_SERVICE_ROLE_KEY"],
      ["SUPABASE_SERVICEROLE_KEY", "SUPABASE_SERVICE_ROLE_KEY"],
      ["LOGLEVEL", "LOG_LEVEL"],
      ["CORS_ALLOWED_ORIGINS", "CORS_ALLOW_ORIGINS"],
      ["WORKER", "WORKERS"],
    ] as const) {
      const sentence = `${name} is not a setting and is ignored; did you mean ${meant}?`;
      assert.deepEqual(findMisspelt([name], variableNames, false), [sentence]);
    }
    assert.equal(findNearest("PROT", variableNames), "PORT");
    assert.match(findMisspelt(["PORTS"], variableNames, true).join(), /did you mean PORT\?/);
  });

  test("leaves the names of other programs alone, and ours", () => {
    const others =
      `PATH HOME HOSTNAME HOSTS PORTS AUTHOR SHELL TERM LANG USER PWD LOGNAME NODE_ENV NO_COLOR PGHOST PGPASSWORD
      LOG DEBUG EDITOR DISPLAY AWS_REGION REDIS_URL KUBERNETES_PORT DATABASE_PORT_5432_TCP_ADDR MODEL_SERVICE_HOST npm_config_port
      NEXT_PUBLIC_SUPABASE_URL VITE_OPENAI_MODEL INVOCATION_ID XDG_DATA_DIRS JOURNAL_STREAM DATABASE_PORT DATABASE_HOST
      DATABASE_USER DATABASE_NAME DATABASE_PASSWORD DATABASE_CONNECTION_POOL_URL MODEL_NAME MODEL_DIR CORS_ENABLED LIMIT_NPROC
      OPENAI_LOG OPENAI_ADMIN_KEY OPENAI_WEBHOOK_SECRET SUPABASE_ACCESS_TOKEN SUPABASE_DB_PASSWORD SUPABASE_PROJECT_ID
      SUPABASE_AUTH_EXTERNAL_GITHUB_SECRET APP_KEY WORKERS_PORT_80_TCP constructor __proto__`.split(/\s+/);
    assert.deepEqual(findMisspelt(others, variableNames, false), []);
    assert.deepEqual(findMisspelt(variableNames, variableNames, true), []);
  });

  test("leaves a name alone if the intended one is set too, in an environment that programs share", () => {
    const names = ["OPENAI_API_BASE", "OPENAI_BASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"];
    assert.deepEqual(findMisspelt(names, variableNames, false), []);
    assert.equal(findMisspelt(names, variableNames, true).length, 2);
  });

  test("reports more names in .env, where few belong to other programs", () => {
    assert.match(findMisspelt(["DATABASE_USER"], variableNames, true).join(), /did you mean DATABASE_URL\?/);
    assert.match(findMisspelt(["MODEL_NAME"], variableNames, true).join(), /is not a setting of Foreword/);
  });

  test("reports that a name which begins like ours but resembles none is ignored", () => {
    assert.deepEqual(findMisspelt(["OPENAI_FREQUENCY"], variableNames, false), [
      "OPENAI_FREQUENCY is not a setting of Foreword and is ignored; .env.example lists all settings.",
    ]);
  });
});
