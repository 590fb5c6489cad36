// Says an answer to screen readers sentence by sentence, at a pace a voice can follow; tokens would drown everything else.

const PACE = 1_200; // milliseconds between two announcements
const KEPT = 6;
const SENTENCE = /[.!?…。！？:]["'”’»)\]]*\s+|\n+/g;

/** Markdown as one would read it out: without its marks, code blocks only mentioned. */
export function spoken(text) {
  return text
    .replace(/[*_#>|`~]+/g, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
}

export class Announcer {
  #region;
  #open = "";
  #inCode = false;
  #ready = [];
  #timer = 0;

  constructor(region) {
    this.#region = region;
  }

  /** More text of an answer. */
  feed(text) {
    this.#open += text;
    let end = 0;
    for (const found of this.#open.matchAll(SENTENCE)) {
      const upTo = found.index + found[0].length;
      this.#sentence(this.#open.slice(end, upTo));
      end = upTo;
    }
    this.#open = this.#open.slice(end);
  }

  /** The answer ended; `closing` is said after what is left of it. */
  finish(closing = "") {
    this.#sentence(this.#open);
    this.#open = "";
    this.#inCode = false;
    if (closing) this.say(closing);
  }

  /** Says a sentence of the page's own. */
  say(sentence) {
    if (!sentence) return;
    this.#ready.push(sentence);
    if (!this.#timer) this.#timer = setTimeout(() => this.#speak(), PACE / 4);
  }

  #sentence(raw) {
    if (/^\s*(```|~~~)/.test(raw)) {
      this.#inCode = !this.#inCode;
      if (this.#inCode) this.say("A code block.");
      return;
    }
    if (!this.#inCode) this.say(spoken(raw));
  }

  #speak() {
    const line = document.createElement("p");
    line.textContent = this.#ready.splice(0).join(" ");
    this.#region.append(line);
    while (this.#region.childElementCount > KEPT) this.#region.firstElementChild.remove();
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (this.#ready.length) this.#speak();
    }, PACE);
  }
}
