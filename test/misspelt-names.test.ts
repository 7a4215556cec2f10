/** Which names are told to be misspelt, with what they were probably meant to be, and which are left alone. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { variableNames } from "../src/environment.ts";
import { findMisspelt, findNearest } from "../src/misspelt-names.ts";

describe("findMisspelt", () => {
  test("names the setting that was meant, whether letters are swapped, lost, doubled or in the wrong case", () => {
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
      const sentence = `${name} is not a setting, and is ignored; did you mean ${meant}?`;
      assert.deepEqual(findMisspelt([name], variableNames, false), [sentence]);
    }
    assert.equal(findNearest("PROT", variableNames), "PORT");
    assert.match(findMisspelt(["PORTS"], variableNames, true).join(), /did you mean PORT\?/);
  });

  test("leaves the names of other programs alone, and ours", () => {
    const others =
      `PATH HOME HOSTNAME HOSTS PORTS AUTHOR SHELL TERM LANG USER PWD LOGNAME NODE_ENV NO_COLOR PGHOST PGPASSWORD
      LOG DEBUG EDITOR DISPLAY AWS_REGION REDIS_URL KUBERNETES_PORT DATABASE_PORT_5432_TCP_ADDR MODEL_SERVICE_HOST npm_config_port
      NEXT_PUBLIC_SUPABASE_URL VITE_OPENAI_MODEL INVOCATION_ID XDG_DATA_DIRS`.split(/\s+/);
    assert.deepEqual(findMisspelt(others, variableNames, false), []);
    assert.deepEqual(findMisspelt(variableNames, variableNames, true), []);
  });

  test("says of a name that begins like ours and is close to none that it is ignored", () => {
    assert.deepEqual(findMisspelt(["OPENAI_FREQUENCY"], variableNames, false), [
      "OPENAI_FREQUENCY is not a setting of Foreword, and is ignored; .env.example lists them all.",
    ]);
  });
});
