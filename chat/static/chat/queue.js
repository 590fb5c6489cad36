// Questions that wait for an answer's end, above where the next one is written. The server has them and asks them; this shows them.

const OFFER_AFTER = 2_000; // milliseconds

export class Queue {
  #room;
  #list;
  #known;
  #timer = 0;

  constructor(room, known) {
    this.#room = room;
    this.#list = room.querySelector("[data-waiting-questions]");
    this.#known = known;
  }

  /** Takes what waits now, unless something newer is known; says whether it was taken. */
  take(queue) {
    if (!queue || queue.version <= this.#known.version) return false;
    this.#known = queue;
    return true;
  }

  /** A question is not there any more: the server said so, and not what is there. */
  forget(id) {
    this.#known = { ...this.#known, questions: this.#known.questions.filter((question) => question.id !== id) };
  }

  get(id) {
    return this.#known.questions.find((question) => question.id === id);
  }

  /** Those at the end of a strand. */
  of(strand) {
    return this.#known.questions.filter((question) => question.strand === strand);
  }

  /** Shows those of a strand; `isOnItsWay`: whether an answer is that takes them along. */
  show(strand, isOnItsWay) {
    if (!this.#list) return;
    const questions = this.of(strand);
    const section = this.#room.querySelector("[data-waiting-list]");
    section.hidden = questions.length === 0;
    this.#offer(questions.length > 0 && !isOnItsWay);
    const next = this.#room.querySelector("[data-next]");
    if (next) next.value = strand;
    const rows = new Map([...this.#list.children].map((row) => [row.dataset.waiting, row]));
    const shown = questions.map((question) => rows.get(question.id) ?? this.#row(question));
    // A row that stays is not moved: whoever stands on one of its buttons would lose the place.
    for (const row of [...this.#list.children]) if (!shown.includes(row)) row.remove();
    shown.forEach((row, place) => {
      if (this.#list.children[place] !== row) this.#list.insertBefore(row, this.#list.children[place] ?? null);
    });
  }

  /** Offers to ask the next one, a moment after nothing has been on its way: between two answers nothing is, either. */
  #offer(isOffered) {
    const line = this.#room.querySelector("[data-next-line]");
    if (!isOffered) {
      clearTimeout(this.#timer);
      this.#timer = 0;
      if (line) line.hidden = true;
    } else if (line?.hidden && !this.#timer) {
      this.#timer = setTimeout(() => (line.hidden = false), OFFER_AFTER);
    }
  }

  #row({ id, text, author, attachments, reply_to: replied }) {
    const row = this.#room.querySelector("[data-waiting-template]").content.firstElementChild.cloneNode(true);
    row.dataset.waiting = id;
    const slot = (name) => row.querySelector(`[data-slot="${name}"]`);
    slot("waiting-text").textContent = text;
    const isMine = author.id === this.#room.dataset.user;
    const said = replied ? [`Reply to ${replied.role === "user" ? replied.author || "Someone" : "Parley"}`] : [];
    if (!isMine) said.push(author.name ?? "Someone");
    slot("waiting-note").textContent = [...said, ...attachments.map((file) => file.name)].join(" · ");
    for (const button of row.querySelectorAll("button")) {
      if (!isMine) button.remove();
      else button.setAttribute("formaction", `${location.pathname}queue/${id}/take-back/`);
    }
    return row;
  }
}
