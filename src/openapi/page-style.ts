/**
 * The style of the page, for light and dark, wide and narrow screens. Its colours are those of the chat page
 * (web/src/styles/theme.css), as a test compares.
 */

/** The style sheet. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --background: light-dark(#fbfbf9, #16181a);
  --surface: light-dark(#ffffff, #1e2123);
  --raised: light-dark(#f1f2ee, #272b2e);
  --line: light-dark(#d9dcd5, #3a4044);
  --text: light-dark(#1b1f1e, #e9ebe8);
  --muted: light-dark(#565e5b, #a6aeaa);
  --accent: light-dark(#175e54, #8fd6c5);
  --on-accent: light-dark(#ffffff, #0d2a25);
  --danger: light-dark(#a3241c, #ffb0a8);
  --warning: light-dark(#7a4b00, #f3c67a);
  --radius: 0.6rem;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  --font-code: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace;
  --get: light-dark(#1a4f8b, #9cc4f5);
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 1rem/1.55 var(--font); color: var(--text); background: var(--background); }
a { color: var(--accent); text-decoration: none; }
main a { text-decoration: underline; text-underline-offset: 0.15em; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
code, pre { font-family: var(--font-code); font-size: 0.86em; }
code { overflow-wrap: anywhere; }
pre { margin: 0.5rem 0; padding: 0.8rem 1rem; overflow-x: auto; background: var(--raised); border: 1px solid var(--line); border-radius: var(--radius); }
nav { position: sticky; top: 0; align-self: start; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem 2rem 1.5rem; border-right: 1px solid var(--line); background: var(--raised); font-size: 0.88rem; }
nav strong { display: block; margin: 1.2rem 0 0.3rem; font-size: 0.75rem; letter-spacing: 0.06em; text-transform: uppercase; color: var(--muted); }
nav a { display: flex; gap: 0.5rem; padding: 0.18rem 0; color: inherit; }
nav a.chat { display: inline-flex; margin: 0.8rem 0 0; padding: 0.35rem 0.9rem; border-radius: var(--radius); color: var(--on-accent); background: var(--accent); }
nav .method { flex: none; width: 3.6em; padding: 0; background: none; text-align: left; }
nav ul { margin: 0; padding: 0; list-style: none; }
.frame { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
main { max-width: 58rem; padding: 2rem 2.5rem 6rem; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; }
h1 small { font-size: 0.9rem; font-weight: normal; color: var(--muted); }
h2 { margin: 3rem 0 0.2rem; font-size: 1.35rem; }
h3 { margin: 0; font-size: 1.05rem; }
h4 { margin: 1.2rem 0 0.3rem; font-size: 0.8rem; letter-spacing: 0.05em; text-transform: uppercase; color: var(--muted); }
p { margin: 0.4rem 0; }
.quiet { color: var(--muted); }
article { margin: 1.2rem 0; padding: 1.1rem 1.3rem 1.3rem; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); }
article:target { border-color: var(--accent); }
.address { display: flex; flex-wrap: wrap; gap: 0.3rem 0.7rem; align-items: baseline; margin: 0.3rem 0; }
.method { padding: 0.05rem 0.5rem; border-radius: 6px; font: 600 0.78rem/1.6 var(--font-code); background: var(--raised); }
.get { color: var(--get); } .post { color: var(--accent); } .patch { color: var(--warning); } .delete { color: var(--danger); }
dl { margin: 0; border-top: 1px solid var(--line); }
dl > div { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: 0.1rem 1rem; padding: 0.45rem 0; border-bottom: 1px solid var(--line); }
dt { overflow-wrap: anywhere; } dd { margin: 0; }
dt em { font-style: normal; font-size: 0.75rem; color: var(--danger); }
dd dl { margin: 0.4rem 0 0.2rem; padding-left: 0.9rem; border-top: 0; border-left: 2px solid var(--line); }
dd dl > div { display: block; padding: 0.3rem 0; border-bottom: 0; }
.kind { font-size: 0.85rem; color: var(--muted); }
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
