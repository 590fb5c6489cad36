// The messages on the screen. It is told what changed and changes that, once a frame; finished parts of an answer are left alone.

import { showTimes } from "../tenants/page.js";
import { showAnalysis } from "./analysis.js";
import { copy, dress } from "./code.js";
import { showFeedback } from "./feedback.js";
import { showFiles } from "./files.js";
import { StreamedMarkdown } from "./markdown.js";
import { drawCharts, showParts } from "./parts.js";
import { showReplied } from "./replies.js";
import { isOnItsWay } from "./transcript.js";

const NEAR = 64; // pixels from the end that still count as being there
const PATIENCE = 4; // an open block that took long to draw is drawn again after this many times as long

// The buttons that post a wish, with the last part of its address.
const WISHES = [
  ["[data-stop]", "stop"],
  ["[data-retry]", "retry"],
  ["[data-regenerate]", "regenerate"],
  ["[data-helpful]", "feedback"],
];

// The forms of a message, with the last part of their address.
const FORMS = [
  ["[data-feedback]", "feedback"],
  ["[data-edit-form]", "edit"],
];

/** What there is to say about a message that did not end well; `pages.py` says the same. */
function stateOf({ status, error }) {
  if (status === "error") return error?.detail || "The answer failed. Try again.";
  if (status === "interrupted") return error?.detail || "The answer was interrupted. What was written is kept; try again for a whole one.";
  if (status === "cancelled") return "Stopped.";
  return "";
}

/** Model, tokens and cost as far as they are known, and whether it was given before; `pages.py` says the same. */
function factsOf({ model, usage, reused_from: reused, created_at: created }) {
  const said = model ? [model] : [];
  if (reused) {
    const minutes = Math.max(1, Math.round((Date.parse(created) - Date.parse(reused)) / 60_000));
    said.unshift(`From an earlier answer, ${minutes} ${minutes === 1 ? "minute" : "minutes"} before`);
  }
  if (usage) {
    said.push(`${((usage.input_tokens ?? 0) + (usage.output_tokens ?? 0)).toLocaleString("en")} tokens`);
    said.push(costOf(usage.cost));
  }
  return said.join(" · ");
}

function costOf(cost) {
  if (cost === null || cost === undefined) return "cost unknown";
  return Number(cost) ? `$${Number(cost).toFixed(4)}` : "no cost";
}

export class Thread {
  #room;
  #scroller;
  #list;
  #latest;
  #user;
  #names;
  #actions;
  #views = new Map(); // message id → {element, text, status, stream, earlier: the version that is shown in its place}
  #waiting = new Map(); // client id → element of a question that is on its way
  #fresh = new Map(); // message id → text not yet drawn
  #frame = 0;
  #notBefore = 0;
  #stuck = true;

  constructor(room) {
    this.#room = room;
    this.#user = room.dataset.user;
    this.#names = JSON.parse(room.dataset.names);
    this.#actions = JSON.parse(room.dataset.actions);
    this.#scroller = room.querySelector("[data-thread]");
    this.#list = room.querySelector("[data-messages]");
    this.#latest = room.querySelector("[data-latest]");
    for (const element of this.#list.children) this.#adopt(element);
    drawCharts([...this.#list.querySelectorAll("[data-figures]")]);
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#latest.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.#keepPlace()).observe(this.#list);
    new ResizeObserver(() => this.#keepPlace()).observe(this.#scroller);
    this.#list.addEventListener("click", (event) => this.#clicked(event));
  }

  /** The messages that the server put on the page, as far as the page tells. */
  get messages() {
    return [...this.#views.values()].map(({ element, text }) => ({
      id: element.dataset.message,
      seq: Number(element.dataset.seq),
      strand: Number(element.dataset.strand),
      role: element.dataset.role,
      status: element.dataset.status,
      attempt: Number(element.dataset.attempt),
      client_id: element.dataset.clientId ?? null,
      text,
    }));
  }

  /** Shows a whole message: new, or changed. */
  show(message) {
    const view = this.#views.get(message.id) ?? this.#place(message);
    const { element } = view;
    const before = { attempt: Number(element.dataset.attempt), status: view.status, text: view.text };
    Object.assign(element.dataset, { status: message.status, attempt: message.attempt });
    if (message.client_id) this.#waiting.get(message.client_id)?.remove();
    this.#fresh.delete(message.id);
    if (message.role === "user") {
      if (view.text !== message.text) slot(element, "body").textContent = message.text;
      showFiles(slot(element, "files"), message.attachments, this.#room);
      showReplied(slot(element, "replied"), message.reply_to);
      const words = element.querySelector("[data-edit-form]")?.elements.text;
      if (words && view.text !== message.text) words.value = words.defaultValue = message.text;
    } else if (isOnItsWay(message)) {
      this.#showStream(view, message, before);
    } else if (view.stream || view.earlier || before.text !== message.text || before.status !== message.status) {
      this.#showSettled(view, message);
    }
    view.text = message.text;
    view.status = message.status;
    this.#showFacts(element, message);
    this.#showPlace(view, message.versions, message.versions);
  }

  /** Shows what an answer said at a place among its versions, from 1; the last of them is the present. */
  showVersion(version, place) {
    const view = this.#views.get(version.id);
    if (!view || isOnItsWay(view)) return;
    this.#showSettled(view, version);
    this.#showFacts(view.element, version);
    this.#showPlace(view, place, version.versions);
    if (place < version.versions) view.earlier = version;
  }

  /** What is selected of a message's text, or all that it says as it is shown. */
  textToQuote(id) {
    const view = this.#views.get(id);
    const selection = getSelection();
    const body = slot(view.element, "body");
    const isHere = !selection.isCollapsed && body.contains(selection.anchorNode) && body.contains(selection.focusNode);
    return isHere ? selection.toString() : (view.earlier ?? view).text;
  }

  /** The place of the version of an answer that is shown, and how many there are. */
  placeOf(id) {
    const { element } = this.#views.get(id);
    return { place: Number(element.dataset.place), count: Number(element.dataset.versions) };
  }

  /** Shows which of a question's versions this is, and which strands are those before and behind it. */
  showBeside(id, { versions, at }) {
    const steps = this.#views.get(id)?.element.querySelector("[data-beside]");
    if (!steps) return;
    steps.hidden = versions.length < 2;
    slot(steps, "beside").textContent = `${at + 1} of ${versions.length}`;
    for (const button of steps.querySelectorAll("[data-look]")) {
      const strand = versions[at + Number(button.dataset.look)];
      button.disabled = strand === undefined;
      button.value = strand ?? "";
    }
  }

  /** How far below the top of the screen the message at this place begins; undefined where it is not here. */
  topOf(seq) {
    return this.#at(seq)?.getBoundingClientRect().top;
  }

  /** Puts the message at this place where the reader looked before, and the keyboard on its button for the same step, or the other. */
  holdAt(seq, top, step) {
    const element = this.#at(seq);
    if (!element) return this.toEnd();
    this.#stuck = false;
    this.#scroller.scrollTop += element.getBoundingClientRect().top - top;
    const buttons = [step, -step].map((by) => element.querySelector(`[data-look="${by}"]:not([disabled])`));
    (buttons[0] ?? buttons[1])?.focus({ preventScroll: true });
  }

  #at(seq) {
    return this.#list.querySelector(`.message[data-seq="${seq}"]`);
  }

  /** Takes more text of an answer; drawn with the next frame. */
  append(message, text) {
    const view = this.#views.get(message.id);
    if (!view) return;
    view.text = message.text;
    view.status = message.status;
    this.#fresh.set(message.id, (this.#fresh.get(message.id) ?? "") + text);
    this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

  remove(id) {
    this.#views.get(id)?.element.remove();
    this.#views.delete(id);
    this.#fresh.delete(id);
  }

  /** Shows a question that the server has not acknowledged yet. */
  showWaiting({ client_id: clientId, text, files, reply_to: replied, at }, words) {
    let element = this.#waiting.get(clientId);
    if (!element?.isConnected) {
      element = this.#blank("user");
      element.dataset.status = "sending";
      element.removeAttribute("id");
      slot(element, "body").textContent = text;
      showFiles(slot(element, "files"), files, this.#room);
      showReplied(slot(element, "replied"), replied);
      slot(element, "author").textContent = "You";
      setTime(element, at);
      this.#list.append(element);
      this.#waiting.set(clientId, element);
    }
    slot(element, "state").textContent = words;
  }

  forgetWaiting(clientId) {
    this.#waiting.get(clientId)?.remove();
    this.#waiting.delete(clientId);
  }

  /** Puts older messages above, and keeps what the reader looks at where it is. */
  prepend(messages) {
    const height = this.#scroller.scrollHeight;
    const top = this.#scroller.scrollTop;
    this.#stuck = false;
    for (const message of messages) this.show(message);
    this.#scroller.scrollTop = top + this.#scroller.scrollHeight - height;
  }

  toEnd() {
    this.#stuck = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#latest.hidden = true;
  }

  /** Shows the message that a search found, where the page came from one; false where it did not. */
  toSought() {
    const sought = this.#list.querySelector("[data-sought]");
    if (!sought) return false;
    this.#stuck = false;
    sought.scrollIntoView({ block: "center" });
    return true;
  }

  /** Shows a message that is here, with the keyboard on it; false where it is not. */
  goTo(id) {
    const element = this.#views.get(id)?.element;
    if (!element) return false;
    this.#stuck = false;
    element.scrollIntoView({ block: "center" });
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    return true;
  }

  /** Who wrote a message, as it is shown. */
  authorOf(id) {
    return slot(this.#views.get(id).element, "author").textContent;
  }

  /** What a message says, without its form. */
  wordsOf(id) {
    const body = slot(this.#views.get(id).element, "body").cloneNode(true);
    for (const head of body.querySelectorAll(".code-head")) head.remove();
    return body.textContent;
  }

  /** Calls `act` when the reader comes near the beginning. */
  onNearStart(act) {
    this.#scroller.addEventListener("scroll", () => this.#scroller.scrollTop < 400 && act(), { passive: true });
  }

  // Messages ----------------------------------------------------------------------------------------------------------

  #adopt(element) {
    const view = { element, text: element.dataset.text, status: element.dataset.status, stream: null, earlier: null };
    delete element.dataset.text;
    for (const button of element.querySelectorAll("[data-copy], [data-quote]")) button.hidden = false;
    const versions = Number(element.dataset.versions);
    this.#showPlace(view, versions, versions);
    this.#views.set(element.dataset.message, view);
    this.#dress(element);
    if (isOnItsWay(view)) {
      view.stream = this.#stream(element);
      view.stream.append(view.text);
    }
    return view;
  }

  #blank(role) {
    const element = this.#room.querySelector(`[data-message-template="${role}"]`).content.firstElementChild.cloneNode(true);
    for (const button of element.querySelectorAll("[data-copy], [data-quote]")) button.hidden = false;
    return element;
  }

  /** A new element at the message's place in the order. */
  #place(message) {
    const element = this.#blank(message.role === "user" ? "user" : "assistant");
    element.id = `m-${message.id}`;
    Object.assign(element.dataset, { message: message.id, seq: message.seq, strand: message.strand, role: message.role, status: message.status });
    element.dataset.attempt = message.attempt;
    delete element.dataset.text;
    const address = `${location.pathname}messages/${message.id}/`;
    for (const [name, verb] of WISHES) {
      for (const button of element.querySelectorAll(name)) button.setAttribute("formaction", `${address}${verb}/`);
    }
    element.querySelector("[data-reply]")?.setAttribute("href", `?strand=${message.strand}&reply_to=${message.id}#text`);
    for (const [name, verb] of FORMS) element.querySelector(name)?.setAttribute("action", `${address}${verb}/`);
    slot(element, "author").textContent = this.#author(message);
    setTime(element, message.created_at);
    const next = [...this.#list.children].find((other) => !other.dataset.message || Number(other.dataset.seq) > message.seq);
    this.#list.insertBefore(element, next ?? null);
    const view = { element, text: null, status: "", stream: null, earlier: null };
    this.#views.set(message.id, view);
    return view;
  }

  #author({ role, author }) {
    if (role !== "user") return "Parley";
    return author?.id === this.#user ? "You" : author?.name || "Someone";
  }

  #showStream(view, message, before) {
    const body = slot(view.element, "body");
    const goesOn = view.stream && before.attempt === message.attempt && message.text.startsWith(before.text);
    if (!goesOn) view.stream = this.#stream(view.element);
    view.stream.append(goesOn ? message.text.slice(before.text.length) : message.text);
    const state = slot(view.element, "state");
    if (message.status === "pending" && !message.text) showThinking(state);
    else state.replaceChildren();
    body.setAttribute("aria-busy", "true");
  }

  #stream(element) {
    return new StreamedMarkdown(slot(element, "body"), { finished: (blocks) => blocks.forEach((block) => this.#dress(block)) });
  }

  #showSettled(view, message) {
    view.stream = null;
    const body = slot(view.element, "body");
    body.removeAttribute("aria-busy");
    // The server made this HTML and passed it through its allow-list (chat/markdown.py).
    body.innerHTML = message.html ?? "";
    this.#dress(body);
  }

  #showFacts(element, message) {
    const state = slot(element, "state");
    if (!isOnItsWay(message)) state.textContent = stateOf(message);
    const facts = slot(element, "facts");
    if (facts) facts.textContent = factsOf(message);
    showFeedback(element, message.feedback);
    showParts(element, message, this.#actions);
    this.#dress(slot(element, "parts"));
    showAnalysis(element, message, this.#names);
    const sources = slot(element, "sources");
    if (sources) {
      sources.hidden = !message.sources?.length;
      sources.querySelector("ul").replaceChildren(...(message.sources ?? []).map((source) => listItem(this.#sourceName(source))));
    }
  }

  #showPlace(view, place, count) {
    const { element } = view;
    view.earlier = null;
    Object.assign(element.dataset, { place, versions: count });
    const steps = element.querySelector("[data-steps]");
    if (!steps) return;
    const isEarlier = place < count;
    element.querySelector("[data-all-versions]").hidden = true; // the steps are in its place
    steps.hidden = count < 2;
    slot(steps, "place").textContent = `${place}/${count}`;
    for (const button of steps.querySelectorAll("[data-step]")) {
      button.setAttribute("aria-disabled", String(Number(button.dataset.step) < 0 ? place <= 1 : !isEarlier));
    }
    element.toggleAttribute("data-earlier", isEarlier);
    const note = slot(element, "note");
    note.hidden = !isEarlier;
    note.textContent = isEarlier ? `An earlier version, ${place} of ${count}.` : "";
  }

  #sourceName(source) {
    const [kind, key] = source.split(":", 2);
    if (kind !== "employee") return source;
    return this.#names[key] ? `${this.#names[key]}’s record` : "The record of an employee";
  }

  #dress(root) {
    dress(root, this.#room.querySelector("[data-copy-template]")).catch(() => {
      // Without colours the code can still be read.
    });
  }

  // Drawing and scrolling ---------------------------------------------------------------------------------------------

  #draw(now) {
    this.#frame = 0;
    if (now < this.#notBefore) {
      this.#frame = requestAnimationFrame((later) => this.#draw(later));
      return;
    }
    const began = performance.now();
    for (const [id, text] of this.#fresh) {
      const view = this.#views.get(id);
      view.stream ??= this.#stream(view.element);
      view.element.dataset.status = view.status;
      slot(view.element, "state").replaceChildren();
      view.stream.append(text);
    }
    this.#fresh.clear();
    this.#notBefore = now + (performance.now() - began) * PATIENCE;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#stuck = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#latest.hidden = this.#stuck;
  }

  #keepPlace() {
    if (this.#stuck) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else this.#scrolled();
  }

  #clicked(event) {
    const button = event.target.closest("[data-copy], [data-copy-code]");
    if (!button) return;
    const { message } = button.closest(".message").dataset;
    const code = button.matches("[data-copy-code]") ? button.closest(".code").querySelector("code") : null;
    const view = this.#views.get(message);
    copy(code ? code.textContent : (view.earlier ?? view).text, button);
  }
}

function slot(element, name) {
  return element.querySelector(`[data-slot="${name}"]`);
}

function setTime(element, at) {
  const time = slot(element, "time");
  time.setAttribute("datetime", at);
  showTimes(element);
}

function showThinking(state) {
  const dots = document.createElement("span");
  dots.className = "thinking";
  dots.setAttribute("aria-hidden", "true");
  dots.append(...[0, 1, 2].map(() => document.createElement("i")));
  const words = document.createElement("span");
  words.className = "visually-hidden";
  words.textContent = "Waiting for the answer";
  state.replaceChildren(dots, words);
}

function listItem(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}

