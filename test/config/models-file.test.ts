/** The file of models: its fields. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import { azure, key, read, refuse } from "./read-models.ts";

describe("the file of models", () => {
  test("lists the model for titles", async (context) => {
    const models = ["one", "small"].map((name) => ({ name, ...key }));
    const { config, problems } = await read(context, { models }, { TITLE_MODEL: "small" });
    assert.deepEqual(problems, []);
    const model = config?.app.model;
    assert.equal(model?.type === "openai" ? model.titles?.name : "", "small");
    assert.deepEqual(await refuse(context, models, { TITLE_MODEL: "Small" }), [
      "TITLE_MODEL must be the name of a model in MODELS_FILE; they are one, small",
    ]);
  });

  test("has every setting of a model, with comments and trailing commas", async (context) => {
    const { models, problems, warnings, config } = await read(
      context,
      `\ufeff{
        "$schema": "./models.schema.json",
        "models": [
          // the default
          {
            "name": "fast", "model": "gpt-5-mini", "baseUrl": "https://\${env:HOST_NAME}/v1",
            "apiKeyVariable": "FAST_KEY",
            "headers": { "X-Title": "My Chat", "X-Token": "Bearer \${SLOW_KEY}" },
            "windowTokens": 400000, "maxOutputTokens": 128000,
            "price": { "input": 0.25, "cachedInput": 0.025, "output": 2, "reasoning": 3 },
            "parameters": { "allowed": ["top_p"], "defaults": { "temperature": 1, "verbosity": "low" } },
            "reasoning": "opened", "fallback": ["Fast", "deployed"],
            "failoverAfterMs": 5000, "firstByteTimeoutMs": 20000, "idleTimeoutMs": 30000,
          },
          { "name": "Fast", "baseUrl": "http://localhost:11434/v1", /* no key */ },
          {
            "name": "deployed", "apiKeyVariable": "SLOW_KEY",
            "azure": { "endpoint": "https://x.openai.azure.com", "apiVersion": "2024-10-21" },
            "parameters": { "defaults": { "temperature": null } }, "reasoning": "none",
          },
        ],
      }`,
      { HOST_NAME: "api.example.com", MODEL_OPENS_REASONING: "yes" },
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(warnings, []);
    const shared = { organization: undefined, project: undefined };
    const waits = { firstByteTimeoutMs: 60_000, idleTimeoutMs: 60_000 };
    const unset = {
      windowTokens: undefined,
      maxOutputTokens: undefined,
      maxContextChars: undefined,
      price: undefined,
    };
    const forAll = { keepsName: true, users: undefined, keys: undefined };
    assert.deepEqual(models, [
      {
        ...forAll,
        name: "fast",
        openai: {
          ...shared,
          model: "gpt-5-mini",
          apiKey: "s3cret-of-fast",
          baseUrl: "https://api.example.com/v1",
          azure: undefined,
          headers: { "X-Title": "My Chat", "X-Token": "Bearer s3cret-of-slow" },
          temperature: 1,
          firstByteTimeoutMs: 20_000,
          idleTimeoutMs: 30_000,
        },
        windowTokens: 400_000,
        maxOutputTokens: 128_000,
        maxContextChars: undefined,
        price: { input: 0.25, cachedInput: 0.025, output: 2, reasoning: 3 },
        parameters: { allowed: ["top_p"], defaults: { verbosity: "low" } },
        opensReasoning: "yes",
        fallback: ["Fast", "deployed"],
        failoverAfterMs: 5_000,
      },
      {
        ...forAll,
        ...unset,
        name: "Fast",
        openai: {
          ...shared,
          ...waits,
          model: "Fast",
          apiKey: undefined,
          baseUrl: "http://localhost:11434/v1",
          azure: undefined,
          headers: {},
          temperature: 0.3,
        },
        parameters: undefined,
        opensReasoning: "yes",
        fallback: [],
        failoverAfterMs: 10_000,
      },
      {
        ...forAll,
        ...unset,
        name: "deployed",
        openai: {
          ...shared,
          ...waits,
          model: "deployed",
          apiKey: undefined,
          baseUrl: undefined,
          azure: { ...azure, apiKey: "s3cret-of-slow" },
          headers: {},
          temperature: undefined,
        },
        parameters: { allowed: undefined, defaults: { temperature: null } },
        opensReasoning: "no",
        fallback: [],
        failoverAfterMs: 10_000,
      },
    ]);
    for (const secret of ["s3cret-of-fast", "s3cret-of-slow"]) assert.ok(config?.secrets.includes(secret));
    assert.ok(!config?.secrets.includes("My Chat"));
  });

  test("overrides the variables of a single model, which it may refer to, with a warning", async (context) => {
    const models = [{ name: "a", apiKeyVariable: "OPENAI_API_KEY" }];
    const more = {
      OPENAI_API_KEY: "k-1",
      OPENAI_MODEL: "m",
      OPENAI_BASE_URL: "http://x/v1",
      AZURE_OPENAI_ENDPOINT: "https://x.openai.azure.com",
    };
    const { config, warnings } = await read(context, { models }, more);
    assert.deepEqual(warnings, [
      "OPENAI_MODEL, OPENAI_BASE_URL, AZURE_OPENAI_ENDPOINT: ignored, since MODELS_FILE lists the models; remove what it does not refer to",
    ]);
    const model = config?.app.model;
    assert.ok(model?.type === "openai");
    assert.deepEqual([model.models.length, model.models[0].openai.baseUrl], [1, undefined]);
    assert.equal(model.models[0].openai.apiKey, "k-1");
  });

  test("is not read in demo mode, as the variables of a single model are not needed there", () => {
    const { app } = parseConfig({ DEMO_MODE: "true", MODELS_FILE: "/nowhere/models.json" });
    assert.deepEqual(app.model, { type: "demo", isForced: true });
  });
});
