// Keyboard shortcuts. The dialog that lists them says which key does what; a page adds what its actions are. None fires while one types,
// but those with Ctrl (or ⌘); those without can be switched off, since speech input sets them off by chance.

const OFF = "parley:single-keys-off";

const dialog = document.querySelector("[data-shortcuts]");
const actions = new Map();

/** Adds what a page can do: {name of a shortcut: what it does}. An action that returns false had nothing to do. */
export function addShortcuts(added) {
  for (const [name, act] of Object.entries(added)) actions.set(name, act);
}

function isOff() {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
}

function switchOff(off) {
  try {
    if (off) localStorage.setItem(OFF, "1");
    else localStorage.removeItem(OFF);
  } catch {
    // Storage is forbidden: they stay as they are.
  }
}

function isTyping(target) {
  return Boolean(target.closest?.("input:not([type=checkbox], [type=radio], [type=submit]), textarea, select, [contenteditable]"));
}

function open() {
  for (const row of dialog.querySelectorAll("[data-shortcut]")) row.hidden = !row.dataset.href && !actions.has(row.dataset.shortcut);
  dialog.querySelector("[data-single-keys]").checked = !isOff();
  dialog.showModal();
}

function pressed(event) {
  if (event.defaultPrevented || event.isComposing || event.repeat || event.altKey || document.querySelector("dialog[open]")) return;
  const isWithCtrl = event.ctrlKey || event.metaKey;
  if (!isWithCtrl && (isOff() || isTyping(event.target))) return;
  const key = event.key.toLowerCase();
  const row = [...dialog.querySelectorAll("[data-shortcut]")].find(({ dataset }) => (isWithCtrl ? dataset.ctrlKey : dataset.key) === key);
  if (!row || (event.shiftKey && /[a-z]/.test(key))) return;
  const act = actions.get(row.dataset.shortcut);
  if (act ? act() !== false : row.dataset.href) {
    event.preventDefault();
    if (!act) location.assign(row.dataset.href);
  }
}

if (dialog) {
  addShortcuts({ help: open });
  document.addEventListener("keydown", pressed);
  for (const button of document.querySelectorAll("[data-shortcuts-open]")) {
    button.hidden = false;
    button.addEventListener("click", open);
  }
  dialog.querySelector("[data-single-keys]").addEventListener("change", (event) => switchOff(!event.target.checked));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
}
