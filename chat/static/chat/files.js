// Files of a question: chosen, dropped or pasted, uploaded at once with progress, shown as chips until they are sent.

import { keep, kept, newId } from "./outbox.js";

/** What sort of file it is, and its size; `pages.py` says the same. */
function factsOf({ name, size }) {
  return `${name.slice(name.lastIndexOf(".") + 1).toUpperCase()}, ${sizeOf(size)}`;
}

function sizeOf(size) {
  return size > 999_000 ? `${(size / 1e6).toFixed(1)} MB` : `${Math.ceil(size / 1000)} KB`;
}

/** Shows the files of a message, each with a link to it. */
export function showFiles(list, files, room) {
  if (!list || !files) return; // an answer has none; of a message that the page brought they are shown already
  list.hidden = !files.length;
  const shown = [...list.children].map((item) => item.dataset.file);
  if (shown.join() !== files.map(({ id }) => id).join()) list.replaceChildren(...files.map((file) => fileOf(file, room)));
}

function fileOf(file, room) {
  const item = room.querySelector("[data-file-template]").content.firstElementChild.cloneNode(true);
  item.dataset.file = file.id;
  const link = item.querySelector("a");
  link.href = addressOf(file, room);
  link.download = file.name;
  const picture = item.querySelector("img");
  if (file.thumbnail_url) picture.src = `${link.href}picture/`;
  else picture.remove();
  slot(item, "name").textContent = file.name;
  slot(item, "file-facts").textContent = factsOf(file);
  return item;
}

function addressOf({ id }, { dataset }) {
  return `/o/${dataset.organization}/chat/${dataset.conversation}/attachments/${id}/`;
}

export class Files {
  #room;
  #list;
  #input;
  #key;
  #headers;
  #say;
  #refuse;
  #chips = new Map(); // element → {file, request}: the file as the server knows it, or else the request that takes it there

  /** `say(sentence)` is heard by those who cannot see the chips, `refuse(sentence)` is seen by all. */
  constructor(room, { key, headers, say, refuse }) {
    this.#room = room;
    this.#list = room.querySelector("[data-files]");
    this.#input = room.querySelector("[data-file-input]");
    this.#key = key;
    this.#headers = headers;
    this.#say = say;
    this.#refuse = refuse;
    if (!this.#list) return;
    this.put(JSON.parse(kept(key) || "[]"));
    room.querySelector("[data-attach]").addEventListener("click", () => this.#input.click());
    this.#input.addEventListener("change", () => {
      this.#add(this.#input.files);
      this.#input.value = "";
    });
    this.#list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-remove-file]");
      if (button) this.#remove(button.closest("li"));
    });
    room.addEventListener("paste", (event) => this.#take(event, event.clipboardData));
    room.addEventListener("drop", (event) => {
      room.removeAttribute("data-dropping");
      this.#take(event, event.dataTransfer);
    });
    room.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      room.setAttribute("data-dropping", "");
    });
    room.addEventListener("dragleave", (event) => {
      if (!room.contains(event.relatedTarget)) room.removeAttribute("data-dropping");
    });
  }

  /** Whether some are still on their way. */
  get areComing() {
    return [...this.#chips.values()].some(({ file }) => !file);
  }

  /** Gives the files that are there to be sent, and forgets them. */
  take() {
    if (!this.#list) return [];
    const files = this.#files();
    for (const chip of this.#chips.keys()) chip.remove();
    this.#chips.clear();
    this.#changed();
    return files;
  }

  /** Puts files that are there already beside the others. */
  put(files) {
    if (!this.#list) return;
    for (const file of files) {
      const chip = this.#chip(file);
      this.#chips.set(chip, { file });
      this.#settle(chip, file);
    }
    this.#changed();
  }

  #files() {
    return [...this.#chips.values()].map(({ file }) => file).filter(Boolean);
  }

  /** What was dropped or pasted, where there are files in it. */
  #take(event, { files }) {
    if (!files.length) return;
    event.preventDefault();
    this.#add(files);
  }

  #add(files) {
    this.#refuse("");
    const { most, largest } = this.#input.dataset;
    for (const file of files) {
      if (this.#chips.size >= Number(most)) {
        this.#refuse(`A message takes ${most} files at most. Send the others with the next one.`);
        return;
      }
      if (file.size > Number(largest)) this.#refuse(`${file.name}: a file has ${Math.floor(largest / 2 ** 20)} MB at most.`);
      else this.#upload(file);
    }
  }

  #upload(file) {
    const chip = this.#chip(file);
    const request = new XMLHttpRequest();
    this.#chips.set(chip, { file: null, request });
    this.#changed();
    request.open("POST", `/api/v1/conversations/${this.#room.dataset.conversation}/attachments`);
    for (const [name, value] of Object.entries(this.#headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      chip.querySelector("progress").value = loaded / total;
      slot(chip, "file-facts").textContent = loaded < total ? `${Math.floor((100 * loaded) / total)} % of ${sizeOf(file.size)}` : "Being checked…";
    });
    request.addEventListener("load", () => {
      if (request.status === 201) this.#arrived(chip, JSON.parse(request.responseText));
      else this.#failed(chip, file, sentenceOf(request));
    });
    request.addEventListener("error", () => this.#failed(chip, file, "Parley cannot be reached just now. Attach it again."));
    const body = new FormData();
    body.append("client_id", newId());
    body.append("file", file, file.name);
    request.send(body);
  }

  #arrived(chip, file) {
    if (!this.#chips.has(chip)) return;
    this.#chips.set(chip, { file });
    this.#settle(chip, file);
    this.#changed();
    this.#say(`${file.name} is attached.`);
  }

  #failed(chip, file, sentence) {
    if (!this.#chips.delete(chip)) return;
    chip.remove();
    this.#changed();
    this.#refuse(`${file.name}: ${sentence}`);
  }

  #remove(chip) {
    const { file, request } = this.#chips.get(chip);
    this.#chips.delete(chip);
    request?.abort();
    // Where this fails, the file is removed after a day.
    if (file) fetch(file.url, { method: "DELETE", headers: this.#headers }).catch(() => {});
    chip.remove();
    this.#changed();
    this.#say(`${slot(chip, "name").textContent} was removed.`);
    this.#room.querySelector("[data-text]").focus();
  }

  #chip({ name, size }) {
    const chip = this.#room.querySelector("[data-chip-template]").content.firstElementChild.cloneNode(true);
    slot(chip, "name").textContent = name;
    slot(chip, "file-facts").textContent = sizeOf(size);
    slot(chip, "remove").textContent = `Remove ${name}`;
    this.#list.append(chip);
    return chip;
  }

  #settle(chip, file) {
    chip.dataset.file = file.id;
    chip.querySelector("progress").remove();
    slot(chip, "file-facts").textContent = factsOf(file);
    if (!file.thumbnail_url) return;
    const picture = this.#room.querySelector("[data-file-template]").content.querySelector("img").cloneNode(true);
    picture.src = `${addressOf(file, this.#room)}picture/`;
    chip.prepend(picture);
  }

  #changed() {
    this.#list.hidden = !this.#chips.size;
    const files = this.#files();
    keep(this.#key, files.length ? JSON.stringify(files) : "");
  }
}

function slot(element, name) {
  return element.querySelector(`[data-slot="${name}"]`);
}

function sentenceOf(request) {
  try {
    return JSON.parse(request.responseText).errors[0].detail;
  } catch {
    return request.status === 413 ? "The file is too large." : "It could not be uploaded. Try again.";
  }
}
