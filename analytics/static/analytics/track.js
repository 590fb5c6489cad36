// Tells the server how long a page was looked at and which marked buttons were pressed, in batches, when the page is left or after a while.
// A button is marked with `data-track="<what it does>"`. Whoever asks not to be tracked is only counted for the page's own time.

const MOST = 50; // items of a batch
const AFTER = 30_000; // milliseconds

const shell = document.querySelector("[data-shell]");
const csrf = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
const isPrivate = navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";
const page = location.pathname.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "…").slice(0, 500);

let items = [];
let timer = 0;
let looked = 0; // milliseconds
let since = document.hidden ? 0 : performance.now();

function note(item) {
  items.push({
    client_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    screen: `${screen.width}x${screen.height}`,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...item,
  });
  if (items.length >= MOST) send();
  else timer ||= setTimeout(send, AFTER);
}

/** Sends what has gathered. What does not arrive is forgotten: nobody waits for it. */
function send() {
  clearTimeout(timer);
  timer = 0;
  const batch = items.splice(0);
  if (!batch.length || !navigator.onLine) return;
  fetch("/api/v1/events", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", "X-Organization": shell.dataset.organization, "X-CSRFToken": csrf },
    body: JSON.stringify(batch),
  }).catch(() => {});
}

function stopLooking() {
  if (!since) return;
  looked += performance.now() - since;
  since = 0;
  if (looked >= 1_000) {
    const metadata = { page, component: "browser", duration: looked / 1_000 };
    note({ event_type: "PAGE_VIEW", event_category: "INTERACTION", event_action: "looked", metadata });
    looked = 0;
  }
  send();
}

if (shell && csrf && crypto.randomUUID) {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stopLooking();
    else since = performance.now();
  });
  addEventListener("pagehide", stopLooking);
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("[data-track]");
    if (pressed && !isPrivate) {
      note({ event_type: "BUTTON_CLICK", event_action: pressed.dataset.track.slice(0, 100), metadata: { page, component: "browser" } });
    }
  });
}
