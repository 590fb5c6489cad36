// The counters of today, as they change: each goes into the page's elements `[data-live-counter="<name>"]`.

import { connectTo } from "../chat/socket.js";

const shell = document.querySelector("[data-shell]");
const shown = [...document.querySelectorAll("[data-live-counter]")];

function show(counters) {
  for (const element of shown) {
    const number = counters[element.dataset.liveCounter];
    if (number === undefined) continue;
    element.textContent = number.toLocaleString();
    if (element.matches("data")) element.value = number;
  }
}

if (shell && shown.length) {
  const socket = connectTo(shell.dataset.organization, {
    heard: (frame) => frame.metrics && show(frame.metrics.counters),
    // Whoever may not watch, or cannot, keeps the numbers that the page came with.
    changed: (state) => state === "open" && socket.request({ do: "watch", what: "metrics" }).catch(() => {}),
  });
}
