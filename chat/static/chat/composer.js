// Where a question is written: the draft stays on this device until it is sent, Enter sends, Esc stops the answer.

import { keep, kept } from "./outbox.js";

const DRAFT_AFTER = 250; // milliseconds
const FEW = 10; // messages left, from which on they are counted aloud
const grows = CSS.supports("field-sizing", "content");

export class Composer {
  #form;
  #field;
  #draft;
  #timer = 0;
  #limitTimer = 0;

  /** `send(text)` is called with what the reader sends and says whether it is on its way, `stop()` when the reader presses Esc. */
  constructor(form, { draftKey, send, stop }) {
    this.#form = form;
    this.#field = form.querySelector("[data-text]");
    this.#draft = draftKey;
    if (!this.#field.value) this.#field.value = kept(draftKey);
    this.#fit();
    this.#field.addEventListener("input", () => this.#changed());
    addEventListener("pagehide", () => this.#save());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#field.value;
      if (!text.trim()) return;
      if (send(text)) this.clear();
    });
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
      event.preventDefault();
      form.requestSubmit();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && !document.querySelector("details.menu[open], dialog[open]")) stop();
    });
  }

  get text() {
    return this.#field.value;
  }

  clear() {
    this.#field.value = "";
    this.#save();
    this.#fit();
  }

  /** Gives a refused text back, above what has been written since. */
  giveBack(text) {
    this.#field.value = this.#field.value.trim() ? `${text}\n\n${this.#field.value}` : text;
    this.#save();
    this.#fit();
    this.#field.focus();
  }

  /** Puts a text as a quotation behind what is written, and the keyboard below it. */
  quote(text) {
    const before = this.#field.value.trimEnd();
    const quoted = text.trim().split("\n").map((line) => `> ${line}`.trimEnd()).join("\n");
    this.#field.value = `${before}${before ? "\n\n" : ""}${quoted}\n\n`;
    this.#changed();
    this.#field.focus();
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
    this.#field.scrollTop = this.#field.scrollHeight;
  }

  /** What the reader may still send, where that is little, until its window is over. */
  showLimit({ left, of, window, seconds }) {
    clearTimeout(this.#limitTimer);
    const line = this.#form.querySelector("[data-limit]");
    line.hidden = left > FEW;
    line.textContent = `${left} of ${of.toLocaleString("en")} messages left ${window === "day" ? "today" : `this ${window}`}`;
    this.#limitTimer = setTimeout(() => (line.hidden = true), seconds * 1000);
  }

  #changed() {
    this.#fit();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), DRAFT_AFTER);
  }

  #save() {
    clearTimeout(this.#timer);
    keep(this.#draft, this.#field.value);
  }

  /** As tall as its text, where the stylesheet's `field-sizing` is not known. */
  #fit() {
    if (grows) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
