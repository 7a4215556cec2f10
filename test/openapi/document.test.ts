/** The OpenAPI document: it is valid, lists exactly the routes of the server, and its examples work. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { listRoutes } from "../support/apps/list-routes.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { makeDocument } from "../support/apps/response-check.ts";
import { readResponse, startApp, type RunningApp } from "../support/apps/start-app.ts";

const methods = ["GET", "POST", "PATCH", "DELETE"];

/** The documents by way of authentication. */
const documents = [
  ["none", await makeDocument("none", "demo")],
  ["supabase", await makeDocument("supabase", "demo")],
  ["keys", await makeDocument("keys", "demo")],
] as const;

describe("the OpenAPI document", { timeout: 60_000 }, () => {
  let app: RunningApp;
  let model: ScriptedModel;
  before(async () => {
    model = await ScriptedModel.start();
    app = await startApp({ OPENAI_BASE_URL: model.url, OPENAI_MODEL: "demo", CHAT_STORE_ENABLED: "true" });
  });
  after(async () => {
    await app.close();
    await model.close();
  });

  for (const [auth, document] of documents) {
    test(`is valid OpenAPI 3.1 with AUTH=${auth}`, async () => {
      const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(document)));
      assert.ok(valid, JSON.stringify(errors));
      assert.match(document.openapi, /^3\.1\./);
    });

    test(`requires credentials with AUTH=${auth} wherever the server does`, () => {
      const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
      const open = operations
        .filter(({ security }) => security?.length === 0)
        .map(({ operationId }) => operationId);
      const isOff = auth === "none";
      assert.equal(document.security === undefined, isOff);
      assert.deepEqual(
        open,
        isOff ? [] : ["getHealth", "getReadiness", "getRoot", "getAsset", "getOpenApi", "getDocs"],
      );
      const refusing = operations.filter(({ responses }) => "401" in responses);
      assert.equal(refusing.length, isOff ? 0 : operations.length - open.length);
    });
  }

  const document = documents[0][1];

  test("lists every method of every route, and no other", () => {
    const named = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((name) => `${name.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    assert.deepEqual(named.toSorted(), listRoutes(app.app).toSorted());
    assert.ok(named.every((route) => methods.includes(route.split(" ")[0] ?? "")));
  });

  test("names each operation once, and each parameter of its path", () => {
    const operations = Object.entries(document.paths).flatMap(([path, found]) =>
      Object.values(found).map((operation) => ({ path, operation })),
    );
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const { path, operation } of operations) {
      const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
      assert.deepEqual(
        inPath.map(({ name }) => name),
        Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name),
      );
    }
  });

  test("describes each parameter, and has a schema for each reference", () => {
    const json = JSON.stringify(document);
    for (const [, name = ""] of json.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      assert.ok(Object.hasOwn(document.components.schemas, name), name);
    for (const operations of Object.values(document.paths))
      for (const { operationId, parameters } of Object.values(operations))
        for (const parameter of parameters)
          assert.ok(parameter.description, `${operationId} ${parameter.name}`);
  });

  test("is sent by the server, with the version of the package", async () => {
    const { status, body } = await app.get("/openapi.json");
    assert.equal(status, 200);
    const { info, ...rest } = JSON.parse(body);
    const { info: expected, ...more } = structuredClone(document);
    assert.deepEqual(rest, JSON.parse(JSON.stringify(more)));
    assert.deepEqual({ ...info, version: expected.version }, expected);
    assert.match(info.version, /^\d+\.\d+\.\d+/);
  });

  const examples = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { requestBody, operationId }]) =>
      Object.entries(requestBody?.content["application/json"]?.examples ?? {}).map(([name, { value }]) => ({
        path,
        method: method.toUpperCase(),
        value,
        title: `${operationId}, ${name}`,
      })),
    ),
  );
  for (const { path, method, value, title } of examples)
    test(`has an example that works: ${title}`, async () => {
      const made = JSON.parse((await app.post("/conversations", {})).body);
      const named = path.startsWith("/v1/conversations") ? `conv_${made.id}` : made.id;
      const here = path.replace("{id}", named).replace("{turnId}", randomUUID());
      const { status } = await readResponse(await app.open(method, here, value));
      // No turn waits for the approvals: past its checks, the request names none.
      assert.ok((path.endsWith("/approvals") ? [404] : [200, 201]).includes(status), String(status));
    });

  test("has an example for each request with a body", () => {
    const bodies = Object.values(document.paths).flatMap((found) =>
      Object.values(found).filter(
        ({ requestBody }) => requestBody?.content["application/json"] !== undefined,
      ),
    );
    assert.ok(bodies.length >= 5);
    for (const { operationId } of bodies)
      assert.ok(
        examples.some(({ title }) => title.startsWith(`${operationId},`)),
        operationId,
      );
  });
});
