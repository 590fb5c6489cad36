// What every page has: the appearance, menus that close, times in the reader's own zone, keyboard shortcuts.

import "./shortcuts.js";

const YEAR = 365 * 24 * 60 * 60;

/** "system", "light" or "dark": what the reader chose. */
function chosenTheme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** Puts an appearance in force and keeps it in a cookie, so that the server's next page is painted right at once. */
function setTheme(theme) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    document.cookie = `theme=; Path=/; Max-Age=0; SameSite=Lax${secure}`;
  } else {
    document.documentElement.dataset.theme = theme;
    document.cookie = `theme=${theme}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  }
  showTheme();
}

function showTheme() {
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosenTheme()));
  }
}

/** Writes the times inside `root` as the reader's clock and calendar say them; the server wrote them in UTC. */
export function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.getAttribute("datetime"));
    if (Number.isNaN(moment.getTime())) continue;
    time.textContent = sayTime(moment, new Date());
    time.title = moment.toLocaleString(undefined, { dateStyle: "full", timeStyle: "short" });
  }
}

/** 09:41 today, "Nov 3" this year, "Nov 3, 2024" before. */
export function sayTime(moment, now) {
  if (moment.toDateString() === now.toDateString()) {
    return moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  }
  const sameYear = moment.getFullYear() === now.getFullYear();
  return moment.toLocaleDateString(undefined, { month: "short", day: "numeric", year: sameYear ? undefined : "numeric" });
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except && !menu.contains(except)) menu.open = false;
  }
}

const OFFLINE = "You are offline. What you send is kept on this device.";

/** A status that is there from the start, and then says something, is what screen readers read. */
function showOffline() {
  const line = document.querySelector("[data-offline]");
  if (line) line.textContent = navigator.onLine ? "" : OFFLINE;
}

showOffline();
addEventListener("online", showOffline);
addEventListener("offline", showOffline);

for (const group of document.querySelectorAll("[data-themes]")) group.hidden = false;
showTheme();
showTimes(document);

document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-theme-choice]");
  if (choice) setTheme(choice.dataset.themeChoice);
  closeMenus(event.target.closest("details.menu"));
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
  event.stopPropagation();
});
