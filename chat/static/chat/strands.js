// The ways that a conversation took since questions were edited; `chat/strands.py` says the same. No DOM here.

export class Strands {
  #known = [];

  constructor(shown = 0, known = []) {
    this.reset(shown, known);
  }

  reset(shown, known) {
    this.shown = shown;
    this.#known = known;
  }

  /** A question that begins a strand was heard of; true if it is a new one. */
  learn({ seq, edits }, messages) {
    if (!edits || this.#known.some(({ strand }) => strand === seq)) return false;
    const beside = this.#known.find((known) => known.edits === edits);
    const parent = beside ? beside.parent : messages.find((message) => message.seq === edits)?.strand;
    if (parent === undefined) return false; // of a question that is not on this page; the next snapshot tells
    this.#known.push({ strand: seq, parent, edits });
    this.#known.sort((one, other) => one.strand - other.strand);
    return true;
  }

  /** Whether a message is on the path of the strand that is shown. */
  holds({ seq, strand }) {
    return this.#path().some(([number, before]) => number === strand && seq < before);
  }

  /** The strands of a question's versions, oldest first, and which of them this one is. */
  versionsOf({ seq, strand }) {
    const begun = this.#known.find((known) => known.strand === seq);
    const { parent, edits } = begun ?? { parent: strand, edits: seq };
    const versions = [parent, ...this.#known.filter((known) => known.edits === edits).map((known) => known.strand)];
    return { versions, at: versions.indexOf(begun ? seq : parent) };
  }

  /** The place of the question that stands where strand `number` and those beside it part. */
  questionOf(number, { seq, strand }) {
    const begun = this.#known.find((known) => known.strand === seq);
    return number === (begun?.parent ?? strand) ? (begun?.edits ?? seq) : number;
  }

  #path() {
    const path = [[this.shown, Infinity]];
    let number = this.shown;
    while (number) {
      const known = this.#known.find(({ strand }) => strand === number);
      if (!known) break;
      path.push([known.parent, known.edits]);
      number = known.parent;
    }
    return path;
  }
}
