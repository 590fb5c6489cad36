// Questions on their way. Each is kept on this device under a name of its own (`client_id`) from the moment it is sent until the
// server says it has it; sent again under the same name it counts once, over the socket or by a request.

export class Outbox {
  #key;

  constructor(key) {
    this.#key = key;
  }

  /** Everything that was sent and not yet acknowledged, oldest first. */
  all() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }

  /** `strand`: at whose end it is asked; `reply_to`: what it replies to, or null. */
  add(text, { strand, files, reply_to }) {
    const entry = { client_id: newId(), text, strand, files, reply_to, at: new Date().toISOString() };
    this.#write([...this.all(), entry]);
    return entry;
  }

  remove(clientId) {
    this.#write(this.all().filter((entry) => entry.client_id !== clientId));
  }

  #write(entries) {
    keep(this.#key, entries.length ? JSON.stringify(entries) : "");
  }
}

/** A random UUID; `crypto.randomUUID` is missing where the page came over plain http from another machine. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Keeps a text on this device, or forgets it where it is empty. Where the browser refuses, the page goes on without. */
export function keep(key, text) {
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // Storage is full or forbidden: what is on the screen still works.
  }
}

export function kept(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}
