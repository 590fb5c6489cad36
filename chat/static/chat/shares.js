// The links of a conversation: a button that copies the new one.

import "../tenants/page.js";

const SAID = 1_600; // milliseconds
const link = document.querySelector("[data-link]");
const button = document.querySelector("[data-copy-link]");

if (button) {
  const words = button.querySelector("span");
  const before = words.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(link.value);
      words.textContent = "Copied";
    } catch {
      link.select();
      words.textContent = "Press Ctrl+C";
    }
    setTimeout(() => {
      words.textContent = before;
    }, SAID);
  });
}
