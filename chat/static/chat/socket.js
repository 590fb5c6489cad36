// The tab's one socket: it connects, and connects again. A request is answered by the frame that repeats its `ref`.

const FIRST_PAUSE = 300; // milliseconds, as are all below
const LONGEST_PAUSE = 15_000;
const ANSWER_WITHIN = 10_000;
const QUIET = 25_000;
const ALIVE_WITHIN = 8_000;
const IDLE = 4408;

/** Closings after which connecting again is pointless, with what to tell the reader. */
const ENDINGS = { 4401: "signed-out", 4403: "not-allowed" };

/** What the server refused: `code` for programs, `message` a sentence for people. */
export class Refused extends Error {
  constructor({ code, detail, retry_after }) {
    super(detail);
    this.code = code;
    this.retryAfter = retry_after;
  }
}

/** No answer: the request may or may not have arrived. */
export class Away extends Error {}

/** The tab's socket in an organization; `heard` and `changed` as below. */
export function connectTo(organization, { heard, changed }) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return new Connection(`${scheme}//${location.host}/ws/o/${organization}/`, {
    heard,
    changed,
    // To leave a conversation that nobody joined asks for nothing but an answer.
    ping: () => ({ do: "leave", conversation: "00000000-0000-0000-0000-000000000000" }),
  });
}

export class Connection {
  #url;
  #heard;
  #changed;
  #ping;
  #socket = null;
  #waiting = new Map();
  #refs = 0;
  #failures = 0;
  #timer = 0;
  #beat = 0;
  #lastHeard = 0;
  #pinged = 0;

  /**
   * `heard(frame)` gets every frame that answers no request; `changed(state)` gets "open", "away", "signed-out" or "not-allowed";
   * `ping()` gives the frame that is sent when it has been quiet for long.
   */
  constructor(url, { heard, changed, ping }) {
    this.#url = url;
    this.#heard = heard;
    this.#changed = changed;
    this.#ping = ping;
    this.state = "new";
    addEventListener("online", () => this.#tryNow());
    addEventListener("offline", () => this.#drop());
    addEventListener("pageshow", () => this.#tryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#tryNow();
    });
    this.#connect();
  }

  get isOpen() {
    return this.state === "open";
  }

  /** Sends a frame; resolves with its acknowledgement, rejects with `Refused` or `Away`. */
  request(frame) {
    if (!this.isOpen) return Promise.reject(new Away());
    const ref = `r${(this.#refs += 1)}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(ref, () => reject(new Away())), ANSWER_WITHIN);
      this.#waiting.set(ref, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...frame, ref }));
    });
  }

  /** Says something that need not arrive. */
  mention(frame) {
    this.request(frame).catch(() => {});
  }

  #connect() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const giveUp = setTimeout(() => socket.close(), ANSWER_WITHIN);
    socket.addEventListener("open", () => {
      clearTimeout(giveUp);
      this.#lastHeard = Date.now();
      this.#setState("open");
      this.#beat = setInterval(() => this.#keepAlive(), 1_000);
    });
    socket.addEventListener("message", ({ data }) => this.#received(data));
    socket.addEventListener("close", ({ code }) => {
      clearTimeout(giveUp);
      if (socket === this.#socket) this.#closed(code);
    });
  }

  #received(data) {
    this.#lastHeard = Date.now();
    this.#failures = 0;
    const frame = JSON.parse(data);
    const ref = frame.ref ?? frame.ack;
    if (ref !== undefined && this.#waiting.has(ref)) {
      const { resolve, reject } = this.#waiting.get(ref);
      this.#settle(ref, () => (frame.error ? reject(new Refused(frame.error)) : resolve(frame)));
    } else {
      this.#heard(frame);
    }
  }

  #settle(ref, act) {
    const waiting = this.#waiting.get(ref);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(ref);
    act();
  }

  /** Called every second; in a tab that is not looked at, browsers call it far less often. */
  #keepAlive() {
    const now = Date.now();
    if (this.#pinged > this.#lastHeard) {
      if (now - this.#pinged > ALIVE_WITHIN) this.#drop();
    } else if (now - this.#lastHeard > QUIET) {
      this.#pinged = now;
      this.request(this.#ping()).catch(() => {});
    }
  }

  /** Gives the socket up without waiting for the other side, which may be gone. */
  #drop() {
    if (!this.#socket || this.state in ENDINGS) return;
    const socket = this.#socket;
    this.#socket = null;
    socket.close();
    this.#closed(1006);
  }

  #closed(code) {
    this.#socket = null;
    clearInterval(this.#beat);
    for (const [ref, { reject }] of [...this.#waiting]) this.#settle(ref, () => reject(new Away()));
    if (code in ENDINGS) {
      this.#setState(ENDINGS[code]);
      return;
    }
    this.#setState("away");
    if (code === IDLE && document.visibilityState === "hidden") return; // until somebody looks again
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures, LONGEST_PAUSE);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), pause * (0.5 + Math.random()));
  }

  #tryNow() {
    if (this.state !== "away") return;
    this.#failures = 0;
    if (!this.#socket) this.#connect();
  }

  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.#changed(state);
  }
}
