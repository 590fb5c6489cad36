// What a question replies to: the quotation above it, and the one above where the next question is written.

const EXCERPT = 280; // characters; the server keeps as many

/** Fills a quotation, or hides it where there is none; `pages.py` says the same. */
export function showReplied(element, replied) {
  if (!element) return;
  element.hidden = !replied;
  const who = element.querySelector('[data-slot="replied-who"]');
  const text = element.querySelector('[data-slot="replied-text"]');
  if (!replied) {
    element.removeAttribute("href");
    delete element.dataset.to;
    who.textContent = text.textContent = "";
    return;
  }
  element.href = `?around=${replied.seq}&strand=${replied.strand}#m-${replied.id}`;
  element.dataset.to = replied.id;
  who.textContent = replied.role === "user" ? replied.author || "Someone" : "Parley";
  text.textContent = replied.text;
}

/** The message that the next question replies to, if any. */
export class Reply {
  #form;
  #box;
  #replied = null;

  constructor(form) {
    this.#form = form;
    this.#box = form.querySelector("[data-replying]");
    this.#replied = JSON.parse(this.#box.dataset.replying);
    this.#box.querySelector("[data-reply-cancel]").addEventListener("click", (event) => {
      event.preventDefault();
      this.put(null);
      form.querySelector("[data-text]").focus();
    });
  }

  /** Replies to this from now on; null: to nothing. */
  put(replied) {
    this.#replied = replied;
    this.#box.hidden = !replied;
    this.#form.elements.reply_to.value = replied?.id ?? "";
    showReplied(this.#box.querySelector(".replied"), replied);
  }

  /** What is replied to; the question after it replies to nothing. */
  take() {
    const replied = this.#replied;
    if (replied) this.put(null);
    return replied;
  }
}

/** A message as a reply shows it: an answer without its form, as `shown` has it. */
export function repliedOf({ id, seq, strand, role, text }, author, shown) {
  const said = role === "user" ? text.trim() : shown.replace(/\s+/g, " ").trim();
  return { id, seq, strand, role, author, text: said.length > EXCERPT ? `${said.slice(0, EXCERPT).trimEnd()}…` : said };
}
