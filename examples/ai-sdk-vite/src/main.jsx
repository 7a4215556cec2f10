/** Loads the chat that the address names, and shows it. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "./chat.jsx";

const id = location.hash.slice(1) || crypto.randomUUID();
location.hash = id;
const response = await fetch(`/api/chat/${id}`);
if (!response.ok) throw new Error(await response.text());
const stored = await response.json();

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Chat id={id} stored={stored} />
  </StrictMode>,
);
