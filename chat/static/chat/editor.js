// A question in other words: its form opens below it, Ctrl+Enter asks, Esc closes it. What was written stays until it was taken.

import { newId } from "./outbox.js";

export class Editor {
  #edit;

  /** `edit(id, text, clientId)` asks, and resolves with whether it was taken. */
  constructor(room, edit) {
    this.#edit = edit;
    room.addEventListener("submit", (event) => {
      const form = event.target.closest("[data-edit-form]");
      if (!form) return;
      event.preventDefault();
      this.#ask(form);
    });
    room.addEventListener("keydown", (event) => {
      const form = event.target.closest?.("[data-edit-form]");
      if (!form || event.isComposing) return;
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
      else if (event.key === "Escape") close(form);
      else return;
      event.preventDefault();
      event.stopPropagation(); // Esc would stop the answer, too
    });
    room.addEventListener("click", (event) => {
      const button = event.target.closest("[data-edit-cancel]");
      if (button) close(button.closest("form"));
    });
    // `toggle` does not bubble.
    room.addEventListener("toggle", (event) => event.target.matches("[data-edit][open]") && opened(event.target), true);
  }

  /** The same words again go under the same name, so that they count once; other words are another question. */
  async #ask(form) {
    const text = form.elements.text.value.replaceAll("\r\n", "\n");
    if (!text.trim()) return;
    if (form.dataset.tried !== text) Object.assign(form.dataset, { tried: text, clientId: newId() });
    const details = form.closest("[data-edit]");
    if (await this.#edit(form.closest(".message").dataset.message, text, form.dataset.clientId)) {
      details.open = false;
      form.reset();
    }
  }
}

function opened(details) {
  details.querySelector("[data-edit-cancel]").hidden = false;
  const field = details.querySelector("textarea");
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function close(form) {
  const details = form.closest("[data-edit]");
  form.reset();
  details.open = false;
  details.querySelector("summary").focus();
}
