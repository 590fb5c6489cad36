// What a conversation says, as far as this page knows: messages by place, and the number of the last event applied. No DOM here.
//
// Events may come twice, and after a gap. Applying one says what has to follow:
//   {kind: "nothing"}               known already, or not for what is shown
//   {kind: "message", message}      a whole message, new or changed
//   {kind: "delta", message, text}  more text of an answer
//   {kind: "elsewhere", message}    a message of another strand than the one that is shown
//   {kind: "conversation", value}   the conversation's own facts
//   {kind: "other", event}          typing and the like
//   {kind: "gap"}                   events in between are missing: join again after `n`
//   {kind: "hole", message}         text in between is missing: join again from a snapshot

const ON_THEIR_WAY = new Set(["pending", "streaming"]);

/** The number of Unicode code points of a text, which is what offsets count; JavaScript's own length counts UTF-16 units. */
export function codePoints(text) {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      count -= 1;
      index += 1;
    }
  }
  return count;
}

/** The text without its first `count` code points. */
export function skipCodePoints(text, count) {
  let index = 0;
  for (let skipped = 0; skipped < count && index < text.length; skipped += 1) {
    index += text.codePointAt(index) > 0xffff ? 2 : 1;
  }
  return text.slice(index);
}

export function isOnItsWay(message) {
  return ON_THEIR_WAY.has(message.status);
}

export class Transcript {
  #messages = new Map();
  #holes = new Set();
  #holds;

  /** `holds(message)` says whether a message is of what is shown. */
  constructor(n = 0, holds = () => true) {
    this.n = n;
    this.#holds = holds;
  }

  get(id) {
    return this.#messages.get(id);
  }

  /** Every message, in order. */
  all() {
    return [...this.#messages.values()].sort((one, other) => one.seq - other.seq);
  }

  /** The answers that are not finished. */
  onTheirWay() {
    return this.all().filter(isOnItsWay);
  }

  /** The place of the oldest message known; 0 where there is none. */
  oldest() {
    let oldest = 0;
    for (const { seq } of this.#messages.values()) if (!oldest || seq < oldest) oldest = seq;
    return oldest;
  }

  /** Takes messages that were fetched (history, an answer to a send); never older ones than known. Returns those that changed. */
  add(messages) {
    return messages.filter((message) => this.#holds(message) && this.#takeIfNewer(message)).map((message) => this.get(message.id));
  }

  /** Starts again from what the server says now. Older messages stay. Returns the ids that are gone. */
  reset(n, messages) {
    this.n = n;
    this.#holes.clear();
    const here = new Set(messages.map((message) => message.id));
    const first = messages.length ? messages[0].seq : 0;
    const gone = [...this.#messages.values()].filter(({ id, seq }) => seq >= first && !here.has(id)).map(({ id }) => id);
    for (const id of gone) this.#messages.delete(id);
    for (const message of messages) this.#take(message);
    return gone;
  }

  /** Forgets what is not of what is shown any more, and what `keeps(message)` says no to. Returns the ids that are gone. */
  leave(keeps = () => true) {
    const gone = [...this.#messages.values()].filter((message) => !this.#holds(message) || !keeps(message)).map(({ id }) => id);
    for (const id of gone) this.#messages.delete(id);
    return gone;
  }

  apply(event) {
    if (typeof event.n === "number") {
      if (event.n <= this.n) return { kind: "nothing" };
      if (event.n > this.n + 1) return { kind: "gap" };
      const result = this.#applyNext(event);
      if (result.kind !== "hole") this.n = event.n;
      return result;
    }
    return this.#applyNext(event);
  }

  #applyNext(event) {
    if (event.event === "message") {
      // Whoever announced an attempt late, when the next one was announced already, has nothing new to say.
      if (event.message.attempt < this.#messages.get(event.message.id)?.attempt) return { kind: "nothing" };
      if (!this.#holds(event.message)) return { kind: "elsewhere", message: event.message };
      return { kind: "message", message: this.#take(event.message) };
    }
    if (event.event === "delta") return this.#applyDelta(event);
    if (event.event === "conversation") return { kind: "conversation", value: event.value };
    return { kind: "other", event };
  }

  #applyDelta({ message: id, attempt, offset, text }) {
    const message = this.#messages.get(id);
    if (!message || message.attempt !== attempt || !isOnItsWay(message)) return { kind: "nothing" };
    if (offset > message.length) {
      // A snapshot that cannot help either is not asked for again: the whole message comes at its end.
      if (this.#holes.has(id)) return { kind: "nothing" };
      this.#holes.add(id);
      return { kind: "hole", message };
    }
    const fresh = skipCodePoints(text, message.length - offset);
    message.status = "streaming";
    if (!fresh) return { kind: "nothing" };
    message.text += fresh;
    message.length += codePoints(fresh);
    return { kind: "delta", message, text: fresh };
  }

  #take(message) {
    const known = { ...message, length: codePoints(message.text) };
    this.#messages.set(message.id, known);
    return known;
  }

  /** Whether a fetched message says more than what is known: a later attempt, an end, or more text. */
  #takeIfNewer(message) {
    const known = this.#messages.get(message.id);
    if (known) {
      if (message.attempt < known.attempt) return false;
      if (message.attempt === known.attempt) {
        if (!isOnItsWay(known) && isOnItsWay(message)) return false;
        if (isOnItsWay(known) && isOnItsWay(message) && codePoints(message.text) <= known.length) return false;
      }
    }
    this.#take(message);
    return true;
  }
}
