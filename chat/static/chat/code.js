// Code blocks: colours, and a button that copies. The highlighter is large, so it is fetched when the first block appears.

let highlighter = null;

async function colours() {
  highlighter ??= import("../vendor/@highlightjs/cdn-assets/es/highlight.min.js").then((module) => module.default);
  return highlighter;
}

/** The language's name in a code element's class, as the server and the stream write it. */
function languageOf(code) {
  return [...code.classList].find((name) => name.startsWith("language-"))?.slice("language-".length) ?? "";
}

/** Dresses the finished code blocks inside `root` (or `root` itself). */
export async function dress(root, copyTemplate) {
  const blocks = root.matches(".code") ? [root] : [...root.querySelectorAll(".code")];
  for (const block of blocks) {
    const slot = block.querySelector(".copy-slot");
    if (slot && !slot.firstElementChild) slot.append(copyTemplate.content.cloneNode(true));
  }
  for (const code of blocks.map((block) => block.querySelector("pre > code"))) {
    if (!code || code.dataset.coloured || !languageOf(code)) continue;
    code.dataset.coloured = "true";
    const known = await colours();
    const language = known.getLanguage(languageOf(code)) ? languageOf(code) : "";
    if (!language || code.textContent.length > 50_000) continue;
    // highlight.js escapes what it is given and adds only spans with classes of its own.
    code.innerHTML = known.highlight(code.textContent, { language, ignoreIllegals: true }).value;
  }
}

/** Copies a text, and says so on the button for a moment. */
export async function copy(text, button) {
  const words = button.querySelector("span") ?? button;
  const before = words.dataset.words ?? words.textContent;
  words.dataset.words = before;
  try {
    await navigator.clipboard.writeText(text);
    words.textContent = "Copied";
  } catch {
    words.textContent = "Press Ctrl+C";
    const range = document.createRange();
    range.selectNodeContents(button.closest(".code")?.querySelector("code") ?? button.closest(".message").querySelector(".message-body"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
  setTimeout(() => {
    words.textContent = before;
  }, 1_600);
}
