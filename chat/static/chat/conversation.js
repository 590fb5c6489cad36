// The conversation page: one socket for the tab, the transcript it keeps, the thread that shows it and the composer.

import { showTimes } from "../tenants/page.js";
import { addShortcuts } from "../tenants/shortcuts.js";
import { groupRows } from "./inbox.js";
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { listenToFeedback } from "./feedback.js";
import { Editor } from "./editor.js";
import { Files } from "./files.js";
import { Outbox } from "./outbox.js";
import { Others, Self, Typing } from "./presence.js";
import { Queue } from "./queue.js";
import { Reply, repliedOf } from "./replies.js";
import { Away, connectTo, Refused } from "./socket.js";
import { Strands } from "./strands.js";
import { Thread } from "./thread.js";
import { isOnItsWay, Transcript } from "./transcript.js";
import { entitle, showUnread } from "./unread.js";

const HISTORY_PAGE = 50;
const FRAME_LIMIT = 60_000; // bytes; the server takes 64 KiB
const LOOK_AGAIN = 2_500; // milliseconds between two looks for an answer while there is no socket
const SEND_AGAIN = 2_000;
const ANSWER_WITHIN = 10_000;
const SAY_LATE_AFTER = 2_500;
const SAY_RECONNECTING_AFTER = 600;
const READ_AFTER = 1_000;
// Refusals that pass by themselves: the question is kept and sent again.
const PASSING = new Set(["store_away", "unavailable"]);

const room = document.querySelector("[data-room]");
const { conversation, organization, user } = room.dataset;
const isOlder = room.dataset.older === "true";
const find = (name) => room.querySelector(`[data-${name}]`);

const thread = new Thread(room);
const strands = new Strands(Number(room.dataset.strand), JSON.parse(room.dataset.strands));
const transcript = new Transcript(Number(room.dataset.n), (message) => strands.holds(message));
const announcer = new Announcer(find("announcements"));
const outbox = new Outbox(`parley:outbox:${user}:${conversation}`);
const queue = new Queue(room, JSON.parse(room.dataset.queue));
const problem = find("problem");
const others = new Others(find("here"), user);
const csrf = room.querySelector("#act [name=csrfmiddlewaretoken]").value;

let connection = null;
let composer = null;
let self = null;
let files = null;
let reply = null;
let joined = false;
let delivering = false;
let hasEarlier = room.dataset.earlier === "true";

// What the server says ---------------------------------------------------------------------------------------------------

function heard(frame) {
  if (frame.event === "unread") {
    showUnread(frame.conversation, frame.conversation === conversation && isLookedAt() ? 0 : frame.unread);
  } else if ("event" in frame) {
    if (frame.conversation === conversation && !others.heard(frame)) happened(frame);
  } else if (frame.joined === conversation || frame.reset === conversation) {
    arrived(frame);
  } else if (frame.error) {
    showProblem(frame.error.detail);
  }
}

function happened(event) {
  const result = transcript.apply(event);
  if (result.kind === "delta") {
    thread.append(result.message, result.text);
    sayMore(result.message);
  } else if (result.kind === "message") {
    showMessage(result.message);
  } else if (result.kind === "elsewhere") {
    acknowledge(result.message.client_id);
    if (strands.learn(result.message, transcript.all())) showAllVersions();
  } else if (result.kind === "conversation") {
    showConversation(result.value);
  } else if (result.event?.event === "queue") {
    queue.take(result.event.queue);
  } else if (result.kind === "gap") {
    join(transcript.n);
  } else if (result.kind === "hole") {
    join(0);
  }
  showControls();
}

function showMessage(message) {
  acknowledge(message.client_id);
  thread.show(message);
  if (message.role === "user") thread.showBeside(message.id, strands.versionsOf(message));
  moveRow(message);
  readSoon();
  if (message.role !== "user") sayMore(message);
}

// How far this person has read: what has ended and was on the page while they looked at it.

let readUpTo = 0;
let readTimer = 0;

function isLookedAt() {
  return document.visibilityState === "visible";
}

function newestEnded() {
  return transcript.all().findLast((message) => !isOnItsWay(message))?.seq ?? 0;
}

function readSoon() {
  if (!readTimer) readTimer = setTimeout(noteRead, READ_AFTER);
}

function noteRead() {
  readTimer = 0;
  const seq = newestEnded();
  if (seq <= readUpTo || !isLookedAt() || !joined) return;
  readUpTo = seq;
  connection.mention({ do: "read", conversation, seq });
}

function showAllVersions() {
  for (const message of transcript.all()) if (message.role === "user") thread.showBeside(message.id, strands.versionsOf(message));
}

/** In the list beside, a conversation in which something was said stands first of its day, with the time of it. */
function moveRow(message) {
  const time = rowOfList()?.querySelector("time");
  if (!time || Date.parse(message.created_at) <= Date.parse(time.dateTime)) return;
  time.dateTime = message.created_at;
  showTimes(time.parentElement);
  groupRows();
}

function rowOfList() {
  return document.querySelector(`.conversation-link[data-conversation="${conversation}"]`);
}

// How much of each answer on its way was said, in UTF-16 units: {attempt, length} by message.
const said = new Map();

const ENDINGS = { sent: "The answer is complete.", cancelled: "The answer was stopped." };

/** Says what is new in an answer that this page saw being written. */
function sayMore(message) {
  let known = said.get(message.id);
  if (isOnItsWay(message) && known?.attempt !== message.attempt) {
    known = { attempt: message.attempt, length: known ? 0 : message.text.length };
    said.set(message.id, known);
  }
  if (!known) return;
  announcer.feed(message.text.slice(known.length));
  known.length = message.text.length;
  if (!isOnItsWay(message)) {
    said.delete(message.id);
    announcer.finish(ENDINGS[message.status] ?? message.error?.detail ?? "The answer failed.");
  }
}

/** The conversation was joined: what was missed follows as events, or all of it is here. */
function arrived({ n, snapshot }) {
  if (snapshot && snapshot.strand !== strands.shown) {
    join(0); // what was joined is the strand that this tab showed before
    return;
  }
  if (snapshot) {
    strands.reset(snapshot.strand, snapshot.strands);
    for (const id of transcript.leave()) thread.remove(id);
    for (const id of transcript.reset(n, snapshot.messages)) thread.remove(id);
    for (const message of snapshot.messages) {
      showMessage(transcript.get(message.id));
    }
    showAllVersions();
    queue.take(snapshot.queue);
    if (snapshot.conversation) showConversation(snapshot.conversation);
  }
  joined = true;
  showControls();
  readSoon();
  deliver();
}

function showConversation(value) {
  const sort = `${find("title").dataset.sort}: `;
  const title = value.title.startsWith(sort) ? value.title.slice(sort.length) : value.title;
  find("title").textContent = title;
  entitle(`${title} · Parley`);
  const rating = find("satisfaction");
  rating.hidden = value.satisfaction_rating === null;
  rating.textContent = rating.hidden ? "" : `Rated ${value.satisfaction_rating.toFixed(1)} of 5`;
  const row = rowOfList()?.querySelector('[data-slot="title"]');
  if (row) row.textContent = title;
  if (value.status === "deleted") location.assign(document.querySelector(".room-back").href);
  else if ((value.status === "archived") === (room.dataset.closed === "false")) location.reload();
}

// The socket --------------------------------------------------------------------------------------------------------------

function connect() {
  connection = connectTo(organization, { heard, changed: connectionChanged });
}

function connectionChanged(state) {
  joined = false;
  if (state === "open") {
    self.opened();
    join(transcript.n);
  } else {
    others.forget();
  }
  showConnection(state);
  lookForAnswers();
  deliver();
}

let joining = false;

async function join(after) {
  if (joining) return;
  joining = true;
  try {
    const answer = await connection.request({ do: "join", conversation, after, strand: strands.shown });
    if ("joined" in answer || "reset" in answer) arrived(answer);
  } catch (error) {
    if (error instanceof Refused && !PASSING.has(error.code)) showProblem(error.message);
    else if (connection.isOpen) setTimeout(() => connection.isOpen && !joined && join(after), SEND_AGAIN);
  } finally {
    joining = false;
  }
}

let connectionTimer = 0;

function showConnection(state) {
  const words = {
    away: "Reconnecting…",
    "signed-out": "You are signed out.",
    "not-allowed": "You may no longer read this consultation.",
  }[state];
  clearTimeout(connectionTimer);
  const show = () => {
    const line = find("connection");
    if (line) {
      line.textContent = words ?? "";
      line.hidden = !words;
    }
    find("connection-said").textContent = words ?? "";
  };
  if (state === "away") connectionTimer = setTimeout(show, SAY_RECONNECTING_AFTER);
  else show();
  if (state === "signed-out") showProblem("You are signed out. What you wrote is kept on this device.", signInLink());
  if (state === "not-allowed") showProblem(words);
}

function signInLink() {
  const link = document.createElement("a");
  link.href = `${room.dataset.login}?next=${encodeURIComponent(location.pathname)}`;
  link.textContent = "Sign in again";
  return link;
}

// Requests: history, and all the rest while there is no socket -------------------------------------------------------------

async function request(path, { method = "GET", body } = {}) {
  const headers = { Accept: "application/json", "X-Organization": organization };
  if (method !== "GET") Object.assign(headers, { "Content-Type": "application/json", "X-CSRFToken": csrf });
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers,
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
  } catch {
    throw new Away();
  }
  if (response.ok) return response.status === 204 ? {} : response.json();
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  if (response.status >= 500) throw new Refused({ code: "store_away", detail: "Parley cannot be reached just now.", retry_after: retryAfter });
  const { errors = [] } = await response.json().catch(() => ({}));
  const code = response.status === 401 ? "signed_out" : errors[0]?.code;
  throw new Refused({ code, detail: errors[0]?.detail ?? "That was refused.", retry_after: retryAfter });
}

/** Asks over the socket, or by a request where there is none. */
async function ask(frame, path, body, method = "POST") {
  if (connection?.isOpen && joined && fitsInAFrame(body)) {
    try {
      return await connection.request(frame);
    } catch (error) {
      if (!(error instanceof Away)) throw error;
    }
  }
  return request(path, { method, body });
}

function fitsInAFrame(body) {
  return new Blob([JSON.stringify(body ?? {})]).size < FRAME_LIMIT;
}

let looking = 0;

/** While there is no socket, answers on their way are looked up from time to time. */
function lookForAnswers() {
  clearTimeout(looking);
  if (joined || isOlder) return;
  looking = setTimeout(async () => {
    if ((transcript.onTheirWay().length || queue.of(strands.shown).length) && navigator.onLine) {
      try {
        queue.take(await request(`conversations/${conversation}/queue`));
        const { results } = await request(`conversations/${conversation}/messages?strand=${strands.shown}&limit=${HISTORY_PAGE}`);
        for (const message of transcript.add(results)) showMessage(message);
        showControls();
      } catch {
        // Away as well: the next look may find it.
      }
    }
    lookForAnswers();
  }, LOOK_AGAIN);
}

let fetching = false;

async function showEarlier() {
  if (fetching || !hasEarlier) return;
  fetching = true;
  const line = find("earlier");
  line.textContent = "Fetching earlier messages…";
  try {
    const oldest = transcript.oldest();
    const wanted = `strand=${strands.shown}&before=${oldest}&limit=${HISTORY_PAGE}`;
    const { results, previous } = await request(`conversations/${conversation}/messages?${wanted}`);
    showWhetherEarlier(Boolean(previous) && results.length > 0);
    thread.prepend(transcript.add(results.sort((one, other) => one.seq - other.seq)));
    showAllVersions();
    line.textContent = "Earlier messages";
  } catch {
    line.textContent = "Earlier messages could not be fetched. Try again";
  }
  fetching = false;
}

function showWhetherEarlier(isThere) {
  hasEarlier = isThere;
  find("earlier-line").hidden = !isThere;
}

// Versions of a question -----------------------------------------------------------------------------------------------------

/** Shows another version of a question, with what followed it: the same place of the screen, another strand. */
async function lookAt(strand, element, step) {
  const question = transcript.get(element.dataset.message);
  const there = strands.questionOf(strand, question);
  const top = thread.topOf(question.seq);
  showProblem("");
  try {
    const found = await connection.request({ do: "join", conversation, strand });
    const { snapshot } = found;
    strands.reset(strand, snapshot.strands);
    const here = new Set(snapshot.messages.map(({ id }) => id));
    for (const id of transcript.leave((message) => here.has(message.id))) thread.remove(id);
    showWhetherEarlier(snapshot.earlier !== null);
    arrived(found);
    showWaiting();
    thread.holdAt(there, top, step);
    const { versions, at } = strands.versionsOf({ seq: there, strand });
    find("said").textContent = `Version ${at + 1} of ${versions.length} of this question, with what followed it.`;
  } catch (error) {
    showProblem(error instanceof Refused ? error.message : "The other version could not be fetched. Try again.");
  }
}

/** Asks a question in other words; resolves with whether it was taken. */
async function edit(id, text, clientId) {
  showProblem("");
  try {
    const body = { text, client_id: clientId };
    const { message, answer, limit } = await ask({ do: "edit", message: id, ...body }, `messages/${id}`, body, "PATCH");
    if (limit) composer.showLimit(limit);
    strands.learn(message, transcript.all());
    strands.shown = message.strand;
    for (const gone of transcript.leave()) thread.remove(gone);
    for (const each of transcript.add([message, answer].filter(Boolean))) showMessage(each);
    showAllVersions();
    showWaiting();
    showControls();
    thread.toEnd();
    find("said").textContent = "Asked in other words. The earlier question stays beside it.";
    return true;
  } catch (error) {
    showProblem(error instanceof Refused ? error.message : "Parley cannot be reached just now. Try again.");
    return false;
  }
}

// Sending, stopping, trying again --------------------------------------------------------------------------------------------

const LATE = "Not sent yet. It is kept on this device and sent as soon as Parley can be reached.";

function send(text) {
  showProblem("");
  if (files.areComing) {
    showProblem("A file is still on its way. Send when it is there.");
    return false;
  }
  const entry = outbox.add(text.replaceAll("\r\n", "\n"), { strand: strands.shown, files: files.take(), reply_to: reply.take() });
  thread.showWaiting(entry, "Sending…");
  thread.toEnd();
  deliver();
  return true;
}

/** Delivers what waits, one after the other. Nothing leaves the outbox before the server has it or has refused it for good. */
async function deliver() {
  if (delivering || isOlder) return;
  delivering = true;
  for (const entry of outbox.all()) {
    thread.showWaiting(entry, "Sending…");
    const late = setTimeout(() => thread.showWaiting(entry, LATE), SAY_LATE_AFTER);
    const again = await deliverOne(entry);
    clearTimeout(late);
    if (again) {
      thread.showWaiting(entry, LATE);
      setTimeout(deliver, again * (0.75 + Math.random() / 2));
      break;
    }
  }
  delivering = false;
}

/** Shows the questions that are on their way to the strand that is shown. */
function showWaiting() {
  for (const entry of outbox.all()) {
    if ((entry.strand ?? strands.shown) === strands.shown) thread.showWaiting(entry, "Sending…");
    else thread.forgetWaiting(entry.client_id);
  }
}

/** Milliseconds after which to try again, or 0 where it is settled. */
async function deliverOne({ client_id, text, strand, files: attached = [], reply_to: replied }) {
  const said = { client_id, text, strand, attachment_ids: attached.map(({ id }) => id), reply_to: replied?.id };
  const [verb, place] = mustWait(strand) ? ["queue", "queue"] : ["send", "messages"];
  try {
    const { message, answer, limit, queue: waiting } = await ask({ do: verb, conversation, ...said }, `conversations/${conversation}/${place}`, said);
    acknowledge(client_id);
    if (limit) composer.showLimit(limit);
    if (queue.take(waiting) && !message) find("said").textContent = "Your question waits until this answer is complete.";
    for (const each of transcript.add([message, answer].filter(Boolean))) showMessage(each);
    showControls();
    return 0;
  } catch (error) {
    if (error instanceof Away) return SEND_AGAIN;
    if (!(error instanceof Refused)) throw error;
    if (PASSING.has(error.code)) return (error.retryAfter ?? SEND_AGAIN / 1000) * 1000;
    if (error.code === "signed_out") {
      showProblem("You are signed out. What you wrote is kept on this device.", signInLink());
      return SEND_AGAIN * 5;
    }
    acknowledge(client_id);
    composer?.giveBack(text);
    files?.put(attached);
    if (replied) reply?.put(replied);
    showProblem(error.message);
    return 0;
  }
}

/** Whether a question at the end of this strand is asked behind others, or behind the answer that is on its way. */
function mustWait(strand) {
  return (strand ?? strands.shown) === strands.shown && (transcript.onTheirWay().length > 0 || queue.of(strands.shown).length > 0);
}

/** Takes a question out that waits: for good, or back to where one is written. */
async function takeBack(id, isEdited) {
  showProblem("");
  const { text, attachments, reply_to: replied } = queue.get(id);
  try {
    const { queue: left } = await ask({ do: "unqueue", conversation, question: id }, `conversations/${conversation}/queue/${id}`, undefined, "DELETE");
    if (!queue.take(left)) queue.forget(id);
    if (isEdited) {
      composer.giveBack(text);
      files.put(attachments);
      if (replied) reply.put(replied);
    } else {
      find("composer").elements.text.focus();
    }
    find("said").textContent = isEdited ? "The question is where you write again." : "Removed. It is not asked.";
  } catch (error) {
    showProblem(error instanceof Refused ? error.message : "Parley cannot be reached just now. Try again.");
  }
  showControls();
}

async function askNext() {
  showProblem("");
  try {
    const strand = strands.shown;
    const { message, answer, queue: left } = await ask({ do: "next", conversation, strand }, `conversations/${conversation}/queue/next`, { strand });
    queue.take(left);
    for (const each of transcript.add([message, answer].filter(Boolean))) showMessage(each);
    find("composer").elements.text.focus();
  } catch (error) {
    showProblem(error instanceof Refused ? error.message : "Parley cannot be reached just now. Try again.");
  }
  showControls();
}

function acknowledge(clientId) {
  if (!clientId) return;
  outbox.remove(clientId);
  thread.forgetWaiting(clientId);
}

/** Asks for something to be done with an answer; resolves with whether it was. */
async function wish(verb, id, fields = {}) {
  showProblem("");
  let isDone = false;
  try {
    const answer = await ask({ do: verb, message: id, ...fields }, `messages/${id}/${verb}`, fields);
    const message = answer.message ?? (answer.id ? answer : null);
    if (message) for (const each of transcript.add([message])) showMessage(each);
    isDone = true;
  } catch (error) {
    showProblem(error instanceof Refused ? error.message : "Parley cannot be reached just now. Try again.");
  }
  showControls();
  return isDone;
}

const VERBS = ["stop", "retry", "regenerate"];

async function giveFeedback(id, said) {
  const isKept = await wish("feedback", id, said);
  find("said").textContent = isKept ? "Your feedback is saved." : "";
  return isKept;
}

/** Shows the version before or behind the one of an answer that is shown. */
async function step(id, by) {
  const { place, count } = thread.placeOf(id);
  const wanted = place + by;
  if (wanted < 1 || wanted > count) return;
  try {
    const { results } = await request(`messages/${id}/versions`);
    thread.showVersion(results[wanted - 1], wanted);
    find("said").textContent = `Version ${wanted} of ${results.length}${wanted < results.length ? ", an earlier one" : ""}.`;
  } catch {
    showProblem("The versions of this answer could not be fetched. Try again.");
  }
}

/** Presses the last of these buttons that is in sight; false where there is none. */
function press(buttons) {
  const button = [...room.querySelectorAll(buttons)].findLast((each) => each.checkVisibility());
  if (!button) return false;
  button.click();
  if (button.matches("[data-copy], [data-copy-code]")) find("said").textContent = "Copied.";
}

function stopLatest() {
  const latest = transcript.onTheirWay().at(-1);
  if (latest) wish("stop", latest.id);
}

// The page -------------------------------------------------------------------------------------------------------------------

function showProblem(sentence, link) {
  problem.textContent = sentence;
  if (link) problem.append(" ", link);
  problem.hidden = !sentence;
}

function showControls() {
  const writing = transcript.onTheirWay().length > 0;
  const stop = find("stop-latest");
  if (stop) stop.hidden = !writing;
  queue.show(strands.shown, writing);
  const keys = find("keys");
  const words = writing ? "What you send now waits until this answer is complete" : "Enter sends, Shift+Enter makes a new line";
  if (keys && keys.textContent !== words) keys.textContent = words;
  const empty = find("empty");
  if (empty && transcript.oldest()) empty.remove();
}

function begin() {
  transcript.add(thread.messages);
  for (const message of transcript.onTheirWay()) sayMore(message);
  const form = find("composer");
  if (form) room.dataset.live = "true";
  if (form) new Typing(form.querySelector("[data-text]"), (on) => connection.mention({ do: "typing", conversation, on }));
  const headers = { Accept: "application/json", "X-Organization": organization, "X-CSRFToken": csrf };
  const say = (sentence) => (find("said").textContent = sentence);
  if (form) files = new Files(room, { key: `parley:files:${user}:${conversation}`, headers, say, refuse: showProblem });
  if (form) reply = new Reply(form);
  if (form) composer = new Composer(form, { draftKey: `parley:draft:${user}:${conversation}`, send, stop: stopLatest });
  find("stop-latest")?.addEventListener("click", stopLatest);
  room.addEventListener("click", (event) => {
    const button = event.target.closest("[data-stop], [data-retry], [data-regenerate], [data-step]");
    if (!button) return;
    event.preventDefault();
    const { message } = button.closest(".message").dataset;
    if (button.dataset.step) step(message, Number(button.dataset.step));
    else wish(VERBS.find((verb) => verb in button.dataset), message);
  });
  room.addEventListener("click", (event) => {
    const suggestion = event.target.closest("[data-suggest]");
    if (!suggestion) return;
    event.preventDefault();
    send(suggestion.value);
    find("composer").elements.text.focus();
  });
  room.addEventListener("click", (event) => {
    const button = event.target.closest("[data-ask], [data-waiting-edit], [data-waiting-remove], [data-next]");
    if (!button || ("ask" in button.dataset && !composer)) return;
    event.preventDefault();
    if ("ask" in button.dataset) composer.giveBack(button.dataset.ask);
    else if ("next" in button.dataset) askNext();
    else takeBack(button.closest("[data-waiting]").dataset.waiting, "waitingEdit" in button.dataset);
  });
  room.addEventListener("click", (event) => {
    const link = event.target.closest("[data-reply], .replied");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.matches(".replied")) {
      if (thread.goTo(link.dataset.to)) event.preventDefault();
    } else if (reply) {
      event.preventDefault();
      const message = transcript.get(link.closest(".message").dataset.message);
      reply.put(repliedOf(message, thread.authorOf(message.id), thread.wordsOf(message.id)));
      form.querySelector("[data-text]").focus();
    }
  });
  listenToFeedback(room, giveFeedback);
  new Editor(room, edit);
  room.addEventListener("pointerdown", (event) => {
    if (event.target.closest("[data-quote]")) event.preventDefault(); // a click would take the selection away first
  });
  room.addEventListener("click", (event) => {
    const button = event.target.closest("[data-quote]");
    if (button && composer) composer.quote(thread.textToQuote(button.closest(".message").dataset.message));
  });
  room.addEventListener("click", (event) => {
    const button = event.target.closest("[data-look]");
    if (!button || !connection?.isOpen) return; // a form post does it, too
    event.preventDefault();
    lookAt(Number(button.value), button.closest(".message"), Number(button.dataset.look));
  });
  find("earlier")?.addEventListener("click", (event) => {
    event.preventDefault();
    showEarlier();
  });
  thread.onNearStart(() => find("earlier").textContent === "Earlier messages" && showEarlier());
  addShortcuts({
    copy: () => press('.message[data-role="assistant"] [data-copy]'),
    code: () => press("[data-copy-code]"),
  });
  if (form) {
    addShortcuts({
      write: () => form.elements.text.focus(),
      edit: () => press('.message[data-role="user"] [data-edit]:not([open]) > summary'),
      anew: () => press("[data-regenerate], [data-retry]"),
      stop: stopLatest,
    });
  }
  for (const entry of outbox.all()) {
    if (thread.messages.some((message) => message.client_id === entry.client_id)) outbox.remove(entry.client_id);
    else thread.showWaiting(entry, "Sending…");
  }
  if (!thread.toSought()) thread.toEnd();
  readUpTo = newestEnded(); // whoever opens the page has read it
  document.addEventListener("visibilitychange", readSoon);
  connect();
  self = new Self(user, (frame) => connection.mention(frame));
  showControls();
}

if (!isOlder) begin();
