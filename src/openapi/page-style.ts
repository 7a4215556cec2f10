/** The style of the page, for light and dark, wide and narrow screens. */

/** The style sheet. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1c2024, #e6e8ea);
  --quiet: light-dark(#5c646d, #9aa3ad);
  --ground: light-dark(#ffffff, #14171a);
  --raised: light-dark(#f5f6f8, #1c2025);
  --line: light-dark(#dfe3e8, #2e343b);
  --accent: light-dark(#1257b8, #7ab3ff);
  --get: light-dark(#1257b8, #7ab3ff);
  --post: light-dark(#1b7034, #6fd08c);
  --patch: light-dark(#8a5a00, #e5b454);
  --delete: light-dark(#b3261e, #ff8f87);
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--text); background: var(--ground); }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
code, pre { font-family: var(--mono); font-size: 0.86em; }
code { overflow-wrap: anywhere; }
pre { margin: 0.5rem 0; padding: 0.8rem 1rem; overflow-x: auto; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; }
nav { position: sticky; top: 0; align-self: start; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem 2rem 1.5rem; border-right: 1px solid var(--line); background: var(--raised); font-size: 0.88rem; }
nav strong { display: block; margin: 1.2rem 0 0.3rem; font-size: 0.75rem; letter-spacing: 0.06em; text-transform: uppercase; color: var(--quiet); }
nav a { display: flex; gap: 0.5rem; padding: 0.18rem 0; color: inherit; }
nav .method { flex: none; width: 3.6em; padding: 0; background: none; text-align: left; }
nav ul { margin: 0; padding: 0; list-style: none; }
.frame { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
main { max-width: 58rem; padding: 2rem 2.5rem 6rem; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; }
h1 small { font-size: 0.9rem; font-weight: normal; color: var(--quiet); }
h2 { margin: 3rem 0 0.2rem; font-size: 1.35rem; }
h3 { margin: 0; font-size: 1.05rem; }
h4 { margin: 1.2rem 0 0.3rem; font-size: 0.8rem; letter-spacing: 0.05em; text-transform: uppercase; color: var(--quiet); }
p { margin: 0.4rem 0; }
.quiet { color: var(--quiet); }
article { margin: 1.2rem 0; padding: 1.1rem 1.3rem 1.3rem; border: 1px solid var(--line); border-radius: 12px; }
article:target { border-color: var(--accent); }
.address { display: flex; flex-wrap: wrap; gap: 0.3rem 0.7rem; align-items: baseline; margin: 0.3rem 0; }
.method { padding: 0.05rem 0.5rem; border-radius: 6px; font: 600 0.78rem/1.6 var(--mono); background: var(--raised); }
.get { color: var(--get); } .post { color: var(--post); } .patch { color: var(--patch); } .delete { color: var(--delete); }
dl { margin: 0; border-top: 1px solid var(--line); }
dl > div { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: 0.1rem 1rem; padding: 0.45rem 0; border-bottom: 1px solid var(--line); }
dt { overflow-wrap: anywhere; } dd { margin: 0; }
dt em { font-style: normal; font-size: 0.75rem; color: var(--delete); }
dd dl { margin: 0.4rem 0 0.2rem; padding-left: 0.9rem; border-top: 0; border-left: 2px solid var(--line); }
dd dl > div { display: block; padding: 0.3rem 0; border-bottom: 0; }
.kind { font-size: 0.85rem; color: var(--quiet); }
ul.codes { margin: 0.2rem 0; padding: 0; list-style: none; font-size: 0.88rem; }
details { margin: 0.3rem 0; }
summary { cursor: pointer; color: var(--accent); font-size: 0.9rem; }
@media (max-width: 60rem) {
  .frame { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); padding: 1rem 1.2rem; }
  nav:not(:focus-within) .index { max-height: 14rem; overflow-y: auto; }
  main { padding: 1.2rem 1.2rem 4rem; }
  article { padding: 0.9rem 1rem 1rem; }
  dl > div { grid-template-columns: minmax(0, 1fr); }
}
@media print { nav { display: none; } .frame { display: block; } }
`;
