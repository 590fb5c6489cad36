// The settings without a round trip: a chatbot's look while it is edited, and its snippet in the clipboard. Forms work without it.

const PAGE = { width: 454, height: 260, right: 460, bottom: 292 }; // of the drawing, in its own units
const SCREEN = { width: 1280, height: 800 }; // of the page that it stands for, in pixels
const LEAST = 60;

/** How long a side of the window is in the drawing. */
function side(value, unit, of, screen) {
  const share = unit === "%" ? value / 100 : value / screen;
  return Math.max(LEAST, Math.min(of, (Number.isFinite(share) ? share : 0) * of));
}

function preview(figure) {
  const form = figure.closest("form");
  const box = figure.querySelector("[data-preview-box]");
  const show = () => {
    const said = Object.fromEntries(new FormData(form));
    const width = side(Number(said.width), said.widthUnit, PAGE.width, SCREEN.width);
    const height = side(Number(said.height), said.heightUnit, PAGE.height, SCREEN.height);
    box.setAttribute("width", width);
    box.setAttribute("height", height);
    box.setAttribute("x", PAGE.right - width);
    box.setAttribute("y", said.type === "embedded" ? 340 - height : PAGE.bottom - height);
    figure.querySelector("[data-preview-button]").setAttribute("visibility", said.type === "embedded" ? "hidden" : "visible");
    figure.querySelector("[data-preview-name]").textContent = said.buttonName;
    figure.querySelector("[data-preview-title]").textContent = said.title;
    for (const part of figure.querySelectorAll("[data-preview-colour]")) part.setAttribute("fill", said.themeColor);
  };
  form.addEventListener("input", show);
  show();
}

function copies(button) {
  const source = document.getElementById(button.dataset.copy);
  const told = button.parentElement.querySelector("[data-copied]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value);
      told.textContent = "Copied.";
    } catch {
      source.select();
      told.textContent = "Press Ctrl+C to copy.";
    }
  });
}

for (const figure of document.querySelectorAll("[data-preview]")) preview(figure);
for (const button of document.querySelectorAll("[data-copy]")) copies(button);
