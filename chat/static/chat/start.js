// The form of a new consultation: people are found as one types, whom one chose is always in sight, and the question is kept.

import "../tenants/page.js";
import { keep, kept } from "./outbox.js";

const SEARCH_AFTER = 250; // milliseconds
const form = document.querySelector("[data-start]");
const picker = form.querySelector("[data-picker]");
const list = picker.querySelector("[data-people]");
const chosen = picker.querySelector("[data-chosen]");
const note = picker.querySelector("[data-note]");
const search = picker.querySelector("[type=search]");
const question = form.querySelector("[data-question]");
const draft = `parley:draft:new:${location.pathname}`;

function boxes() {
  return [...list.querySelectorAll("input[type=checkbox]")];
}

function showChosen() {
  const names = boxes().filter((box) => box.checked).map((box) => [box, box.closest("[data-person]").querySelector("[data-slot=name]").textContent]);
  chosen.hidden = names.length === 0;
  chosen.replaceChildren(...names.map(([box, name]) => chip(box, name)));
}

function chip(box, name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.textContent = `${name} ×`;
  button.setAttribute("aria-label", `Remove ${name}`);
  button.addEventListener("click", () => {
    box.checked = false;
    showChosen();
    search.focus();
  });
  return button;
}

let latest = 0;

async function look() {
  const wanted = (latest += 1);
  let response;
  try {
    response = await fetch(`${picker.dataset.peopleUrl}?${new URLSearchParams({ find: search.value })}`, { credentials: "same-origin" });
  } catch {
    response = { ok: false };
  }
  if (wanted !== latest) return;
  if (!response.ok) {
    note.textContent = "People cannot be looked up just now. Press Enter to try again.";
    return;
  }
  const found = new DOMParser().parseFromString(await response.text(), "text/html");
  if (wanted !== latest) return;
  const keepers = boxes().filter((box) => box.checked);
  const known = new Set(keepers.map((box) => box.value));
  const others = [...found.querySelectorAll("[data-person]")].filter((row) => !known.has(row.querySelector("input").value));
  list.replaceChildren(...keepers.map((box) => box.closest("[data-person]")), ...others.map((row) => document.adoptNode(row)));
  note.textContent = response.headers.get("X-Note") ?? "";
}

let timer = 0;
picker.querySelector("[data-find-button]").hidden = true;
search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, SEARCH_AFTER);
});
search.addEventListener("keydown", (event) => {
  // Enter in a search field would send the form.
  if (event.key !== "Enter") return;
  event.preventDefault();
  look();
});
list.addEventListener("change", showChosen);
showChosen();

if (!question.value) question.value = kept(draft);
question.addEventListener("input", () => keep(draft, question.value));
form.addEventListener("submit", () => keep(draft, ""));

// What was refused is at the top; the fields it is about may be far below.
document.querySelector("[data-problems]")?.focus();
