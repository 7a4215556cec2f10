/** The page that shows the OpenAPI document: one HTML file that needs no scripts and loads nothing. */
import { hash } from "node:crypto";
import type { OpenApiDocument, OperationObject, Parameter } from "./document.ts";
import { documentHeaders, Html, toProse, type HtmlValue } from "../http/html.ts";
import { pageStyle } from "./page-style.ts";
import type { ResponseObject } from "./response.ts";
import { viewRow, viewSchema } from "./schema-view.ts";

/** Headers that let the page use its own style, by its digest, and nothing else. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${hash("sha256", pageStyle, "base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
  ...documentHeaders,
};

/** An operation with its method and path. */
interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly operation: OperationObject;
}

/** Returns the page. @param hasChatPage whether it links to the page for chats, beside it */
export function toPage(document: OpenApiDocument, hasChatPage = false): string {
  const endpoints = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Endpoint => ({ method, path, operation })),
  );
  const { markup } =
    Html.of`<body><div class="frame">${viewIndex(document, endpoints, hasChatPage)}<main>${viewHead(document)}${document.tags.map(
      ({ name, description }) =>
        Html.of`<section><h2>${name}</h2><p class="quiet">${toProse(description)}</p>${endpoints
          .filter(({ operation }) => operation.tags.includes(name))
          .map((endpoint) => viewOperation(document, endpoint))}</section>`,
    )}${viewSchemas(document)}</main></div></body>`;
  const title = `${document.info.title} ${document.info.version}`;
  // The style stays unescaped: the page's policy names its digest.
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${Html.of`${title}`.markup}</title><style>${pageStyle}</style></head>
${markup}</html>
`;
}

function viewIndex(
  { info, tags }: OpenApiDocument,
  endpoints: readonly Endpoint[],
  hasChatPage: boolean,
): Html {
  const chat = hasChatPage ? Html.of`<a class="chat" href="./">Open the chat page</a>` : undefined;
  return Html.of`<nav aria-label="Contents"><a href="#top"><b>${info.title}</b></a>${chat}<div class="index">${tags.map(
    ({ name }) =>
      Html.of`<strong>${name}</strong><ul>${endpoints
        .filter(({ operation }) => operation.tags.includes(name))
        .map(
          ({ method, path, operation }) =>
            Html.of`<li><a href="#${operation.operationId}" title="${operation.summary}">${viewMethod(method)}<span>${path}</span></a></li>`,
        )}</ul>`,
  )}<strong><a href="#schemas">Schemas</a></strong></div></nav>`;
}

function viewHead({ info, components }: OpenApiDocument): Html {
  const { securitySchemes } = components;
  const token = Object.values(securitySchemes ?? {}).map(
    ({ description }) =>
      Html.of`<p>Requests carry <code>Authorization: Bearer $TOKEN</code>. ${toProse(description)}</p>`,
  );
  return Html.of`<h1 id="top">${info.title} <small>${info.version}</small></h1><p>${toProse(info.summary)}</p><p class="quiet">${toProse(
    info.description,
  )}</p><p>The machine-readable version is <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>${token}<p>The commands below use the server in the shell variable <code>FOREWORD</code>, like <code>FOREWORD=http://127.0.0.1:8000</code>.</p>`;
}

function viewMethod(method: string): Html {
  return Html.of`<span class="method ${method}">${method.toUpperCase()}</span>`;
}

function viewOperation(document: OpenApiDocument, endpoint: Endpoint): Html {
  const { method, path, operation } = endpoint;
  const { operationId, summary, description, parameters, responses } = operation;
  return Html.of`<article id="${operationId}"><h3>${toProse(summary)}</h3><div class="address">${viewMethod(method)}<code>${path}</code></div>${
    description === undefined ? undefined : Html.of`<p>${toProse(description)}</p>`
  }<pre tabindex="0"><code>${toCommand(endpoint, document)}</code></pre>${viewParameters(parameters)}${viewBody(document, operation)}<h4>Responses</h4><dl>${Object.entries(
    responses,
  ).map(([status, response]) => viewResponse(status, response))}</dl></article>`;
}

function viewParameters(parameters: readonly Parameter[]): HtmlValue {
  const places = { path: "Path", query: "Query", header: "Headers" } as const;
  return (["path", "query", "header"] as const).map((place) => {
    const found = parameters.filter((parameter) => parameter.in === place);
    if (found.length === 0) return undefined;
    return Html.of`<h4>${places[place]}</h4><dl>${found.map(({ name, required, description, schema }) =>
      viewRow(name, required, viewSchema(schema, description)),
    )}</dl>`;
  });
}

function viewBody({ components }: OpenApiDocument, { requestBody }: OperationObject): HtmlValue {
  const { schema } = requestBody?.content["application/json"] ?? {};
  if (requestBody === undefined || schema === undefined) return undefined;
  const name = String(schema["$ref"]).split("/").at(-1) ?? "";
  const whole = components.schemas[name] ?? schema;
  return Html.of`<h4>Body${requestBody.required ? "" : ", optional"}</h4>${viewSchema(whole)}`;
}

function viewResponse(status: string, { description, content = {}, headers = {} }: ResponseObject): Html {
  const lines = description.split("\n\n").map((line) => Html.of`<li>${toProse(line)}</li>`);
  const bodies = Object.entries(content).map(([type, { schema, "x-event-schema": event }]) => {
    const { properties: _, ...named } = schema;
    const shown = event ?? named;
    const kind = "$ref" in shown || "anyOf" in shown ? viewSchema(shown) : undefined;
    const prose = typeof schema["description"] === "string" ? toProse(schema["description"]) : undefined;
    return Html.of`<details><summary>${type}</summary>${kind}${prose}</details>`;
  });
  const names = Object.keys(headers).map((name, index) => [
    index === 0 ? "" : ", ",
    Html.of`<code>${name}</code>`,
  ]);
  return viewRow(status, false, [
    Html.of`<ul class="codes">${lines}</ul>`,
    bodies,
    names.length === 0 ? undefined : Html.of`<div class="kind">Headers: ${names}</div>`,
  ]);
}

function viewSchemas({ components }: OpenApiDocument): Html {
  return Html.of`<section id="schemas"><h2>Schemas</h2>${Object.entries(components.schemas).map(
    ([name, schema]) => Html.of`<article id="schema-${name}"><h3>${name}</h3>${viewSchema(schema)}</article>`,
  )}</section>`;
}

/** Returns a curl command for an operation. */
function toCommand({ method, path, operation }: Endpoint, { security }: OpenApiDocument): string {
  const { requestBody } = operation;
  const [example] = Object.values(requestBody?.content["application/json"]?.examples ?? {});
  const needsToken = security !== undefined && operation.security === undefined;
  return [
    `curl -N${method === "get" || (method === "post" && example) ? "" : ` -X ${method.toUpperCase()}`} "$FOREWORD${path}"`,
    ...(needsToken ? [`-H "authorization: Bearer $TOKEN"`] : []),
    ...(example === undefined
      ? []
      : ["-H 'content-type: application/json'", `-d '${JSON.stringify(example.value)}'`]),
  ].join(" \\\n  ");
}
