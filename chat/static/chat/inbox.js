// The list of consultations: filters act as they are set, and "load more" adds to the list in place.

import { showTimes } from "../tenants/page.js";
import { addShortcuts } from "../tenants/shortcuts.js";
import { Self } from "./presence.js";
import { connectTo } from "./socket.js";
import { learnUnread, showUnread } from "./unread.js";

const SEARCH_AFTER = 300; // milliseconds
const ANSWER_WITHIN = 10_000;
const DAY = 24 * 60 * 60 * 1000;

/** What a row stands under, by the reader's own calendar; `days.py` says the same by UTC's. */
function groupOf(row, today) {
  if ("pinned" in row.dataset) return "Pinned";
  const moment = new Date(row.querySelector("time").dateTime);
  const day = new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
  const ago = Math.round((today - day) / DAY);
  if (ago <= 0) return "Today";
  if (ago === 1) return "Yesterday";
  return ago <= 7 ? "Previous 7 days" : day.toLocaleDateString("en", { month: "long", year: "numeric" });
}

/** Puts the rows of the list under their days, the pinned ones and then the latest first. What has the keyboard keeps it. */
export function groupRows(root = document.querySelector("[data-rows]")) {
  if (!root) return;
  const at = (row) => Date.parse(row.querySelector("time").dateTime);
  const isPinned = (row) => Number("pinned" in row.dataset);
  const rows = [...root.querySelectorAll("li")].sort((one, other) => isPinned(other) - isPinned(one) || at(other) - at(one));
  const now = new Date();
  const today = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  const sections = new Map();
  for (const row of rows) {
    const name = groupOf(row, today);
    if (!sections.has(name)) sections.set(name, section(name));
    sections.get(name).querySelector("ul").append(row);
  }
  root.replaceChildren(...sections.values());
  focused?.focus({ preventScroll: true });
}

function section(name) {
  const made = document.createElement("section");
  made.className = "conversation-group";
  made.setAttribute("aria-label", name);
  const head = document.createElement("h2");
  head.className = "conversation-day";
  head.textContent = name;
  const list = document.createElement("ul");
  list.className = "conversation-list";
  made.append(head, list);
  return made;
}

export function beginList(root) {
  const form = root.querySelector("[data-filters]");
  if (!form) return;
  form.querySelector("[data-filter-button]").hidden = true;
  const problem = root.querySelector("[data-list-problem]");
  let timer = 0;
  let latest = 0;
  let again = null;

  /** The list cannot be fetched: what is there stays, and the reader decides when `act` is tried again. */
  function failed(act) {
    again = act;
    problem.hidden = false;
  }

  async function fetchPage(url) {
    const response = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_WITHIN) });
    problem.hidden = true;
    if (!response.ok) throw new Error(`The list could not be fetched (${response.status}).`);
    return new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-conversations]");
  }

  async function filter() {
    const wanted = (latest += 1);
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const url = `${form.getAttribute("action")}?${query}`;
    try {
      const fresh = await fetchPage(url);
      if (wanted !== latest) return;
      root.querySelector("[data-conversations]").replaceWith(document.adoptNode(fresh));
      showTimes(fresh);
      learnUnread(fresh);
      groupRows();
      root.querySelector("[data-found]").textContent = fresh.dataset.says;
      if (location.pathname === form.getAttribute("action")) history.replaceState(null, "", url);
    } catch {
      if (wanted === latest) failed(filter);
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, SEARCH_AFTER);
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.hasAttribute("formaction")) return; // to the page that searches in messages, too
    event.preventDefault();
    clearTimeout(timer);
    filter();
  });

  problem.querySelector("[data-list-again]").addEventListener("click", () => again());
  root.addEventListener("click", (event) => {
    const more = event.target.closest("[data-more]");
    if (!more) return;
    event.preventDefault();
    showMore(more);
  });

  async function showMore(more) {
    if (more.getAttribute("aria-disabled") === "true") return;
    more.setAttribute("aria-disabled", "true");
    try {
      const fresh = await fetchPage(more.href);
      const rows = document.adoptNode(fresh.querySelector("[data-rows]"));
      const first = rows.querySelector("a, button");
      showTimes(rows);
      learnUnread(rows);
      root.querySelector("[data-rows]").append(...rows.children);
      groupRows();
      const next = fresh.querySelector("[data-more]");
      if (next) more.href = next.href;
      else more.parentElement.remove();
      first?.focus();
    } catch {
      failed(() => showMore(more));
    }
    more.removeAttribute("aria-disabled");
  }
}

/** On a page without a conversation, which has a socket of its own, the numbers of what is unread follow. */
function followUnread() {
  const { organization, user } = document.querySelector("[data-shell]").dataset;
  const connection = connectTo(organization, {
    heard: (frame) => frame.event === "unread" && showUnread(frame.conversation, frame.unread),
    changed: (state) => state === "open" && self.opened(),
  });
  const self = new Self(user, (frame) => connection.mention(frame));
}

/** Opens the conversation so many places below the one that is open; false where there is none. */
function goBy(places) {
  const links = [...document.querySelectorAll("[data-rows] .conversation-link")];
  const at = links.findIndex((link) => link.getAttribute("aria-current") === "page");
  const wanted = links[at < 0 && places < 0 ? links.length - 1 : at + places];
  if (!wanted) return false;
  location.assign(wanted.href);
}

/** Puts the keyboard into the list's search, where it is in sight; otherwise to the page that searches. */
function goToSearch() {
  const field = document.querySelector("[data-filters] [type=search]");
  if (field?.checkVisibility()) field.focus();
  else location.assign(document.querySelector("[data-shortcut=search]").dataset.href);
}

if (document.querySelector("[data-rows]")) addShortcuts({ previous: () => goBy(-1), next: () => goBy(1) });
addShortcuts({ search: goToSearch });
beginList(document);
learnUnread(document);
if (!document.querySelector("[data-room]")) followUnread();
groupRows();
