// How the person at this tab is (here, away by idleness, busy by choice), and who else is in the conversation.

const IDLE_AFTER = 5 * 60_000; // milliseconds, as are all below
const TYPING_AGAIN = 3_000;
const STILL_AFTER = 4_000;
const TYPING_FOR = 5_500; // the server forgets after five seconds
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];
const BUSY = "parley:busy";

/** Tells the server how the person is, and again whenever the socket has opened. `tell(frame)` sends a frame where it can. */
export class Self {
  #tell;
  #status = "";
  #isIdle = false;
  #timer = 0;
  #button = document.querySelector("[data-busy]");
  #key;

  constructor(user, tell) {
    this.#tell = tell;
    this.#key = `${BUSY}:${user}`;
    for (const sign of SIGNS) addEventListener(sign, () => this.#active(), { passive: true });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#active());
    addEventListener("storage", ({ key }) => key === this.#key && this.#say());
    if (this.#button) {
      this.#button.hidden = false;
      this.#button.addEventListener("click", () => this.#choose(!this.#isBusy()));
    }
    this.#active();
    this.#show();
  }

  /** The socket is open: nothing is known of this tab yet. */
  opened() {
    this.#status = "";
    this.#say();
  }

  #active() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#rest(true), IDLE_AFTER);
    if (this.#isIdle) this.#rest(false);
  }

  #rest(isIdle) {
    this.#isIdle = isIdle;
    this.#say();
  }

  #isBusy() {
    try {
      return localStorage.getItem(this.#key) === "true";
    } catch {
      return this.#button?.getAttribute("aria-pressed") === "true";
    }
  }

  #choose(isBusy) {
    try {
      localStorage.setItem(this.#key, String(isBusy));
    } catch {
      // Kept for this page only.
    }
    this.#button.setAttribute("aria-pressed", String(isBusy));
    this.#say();
  }

  #say() {
    this.#show();
    const status = this.#isIdle ? "away" : this.#isBusy() ? "busy" : "online";
    if (status === this.#status) return;
    this.#status = status;
    this.#tell({ do: "presence", status });
  }

  #show() {
    this.#button?.setAttribute("aria-pressed", String(this.#isBusy()));
  }
}

/** Tells the others that this person types: at most every few seconds, and when it ends. */
export class Typing {
  #tell;
  #saidAt = 0;
  #timer = 0;

  constructor(field, tell) {
    this.#tell = tell;
    field.addEventListener("input", () => (field.value.trim() ? this.#types() : this.stop()));
    field.form.addEventListener("submit", () => this.stop());
  }

  stop() {
    clearTimeout(this.#timer);
    if (this.#saidAt) this.#tell(false);
    this.#saidAt = 0;
  }

  #types() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stop(), STILL_AFTER);
    if (Date.now() - this.#saidAt < TYPING_AGAIN) return;
    this.#saidAt = Date.now();
    this.#tell(true);
  }
}

/** The line that says who else is here and who types. */
export class Others {
  #line;
  #self;
  #people = new Map(); // {name, status} by person
  #typing = new Map(); // {name, timer} by person

  constructor(line, self) {
    this.#line = line;
    this.#self = self;
  }

  /** Takes an event; true if it is about this. */
  heard({ event, users, user, status, on }) {
    if (event === "participants") this.#people = new Map(users.map((one) => [one.id, { name: one.name, status: one.status }]));
    else if (event === "presence") {
      if (this.#people.has(user.id)) this.#people.set(user.id, { name: user.name, status });
    } else if (event === "typing") this.#types(user, on);
    else return false;
    this.#show();
    return true;
  }

  /** The socket is gone: nobody knows who is here. */
  forget() {
    for (const { timer } of this.#typing.values()) clearTimeout(timer);
    this.#typing.clear();
    this.#people.clear();
    this.#show();
  }

  #types({ id, name }, on) {
    clearTimeout(this.#typing.get(id)?.timer);
    this.#typing.delete(id);
    if (!on) return;
    const timer = setTimeout(() => {
      this.#typing.delete(id);
      this.#show();
    }, TYPING_FOR);
    this.#typing.set(id, { name, timer });
  }

  #show() {
    const words = this.#words();
    if (this.#line.textContent !== words) this.#line.textContent = words;
    this.#line.hidden = !words;
  }

  #words() {
    const typing = [...this.#typing].filter(([id]) => id !== this.#self).map(([, { name }]) => name);
    if (typing.length) return `${list(typing)} ${typing.length > 1 ? "are" : "is"} typing…`;
    const others = [...this.#people].filter(([id]) => id !== this.#self);
    const names = others.map(([, { name, status }]) => (status === "online" ? name : `${name} (${status})`));
    return names.length ? `${list(names)} ${names.length > 1 ? "are" : "is"} here` : "";
  }
}

const MOST = 3;

function list(names) {
  const shown = names.length > MOST ? [...names.slice(0, MOST - 1), `${names.length - MOST + 1} others`] : names;
  return shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : shown[0];
}
