// What the reader says of an answer: a thumb acts at once, stars and a comment are saved together.

/** What opens the stars; `pages.py` says the same. */
function ratingOf(feedback) {
  return feedback?.rating ? `Rated ${feedback.rating} of 5` : "Rate";
}

/** Shows the feedback that is kept. What is being filled in and not saved yet stays. */
export function showFeedback(element, feedback) {
  const form = element.querySelector("[data-feedback]");
  if (!form) return;
  for (const thumb of element.querySelectorAll("[data-helpful]")) {
    const isPressed = String(feedback?.helpful ?? "") === thumb.dataset.helpful;
    thumb.setAttribute("aria-pressed", String(isPressed));
    thumb.value = isPressed ? "" : thumb.dataset.helpful;
  }
  element.querySelector('[data-slot="rating"]').textContent = ratingOf(feedback);
  if (form.dataset.changed) return;
  form.elements.rating.value = String(feedback?.rating ?? "");
  form.elements.comment.value = feedback?.comment ?? "";
}

/** Listens to thumbs and panels; `give(id, said)` sends what was said and resolves with whether it is kept. */
export function listenToFeedback(room, give) {
  room.addEventListener("click", (event) => {
    const thumb = event.target.closest("[data-helpful]");
    if (!thumb) return;
    event.preventDefault();
    const message = thumb.closest(".message");
    const helpful = thumb.value ? thumb.value === "true" : null;
    if (helpful !== null) message.querySelector("[data-rating]").open = true;
    give(message.dataset.message, { helpful });
  });
  room.addEventListener("input", (event) => {
    const form = event.target.closest("[data-feedback]");
    if (form) form.dataset.changed = "true";
  });
  room.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-feedback]");
    if (!form) return;
    event.preventDefault();
    const said = { rating: Number(form.elements.rating.value) || null, comment: form.elements.comment.value || null };
    if (!(await give(form.closest(".message").dataset.message, said))) return;
    delete form.dataset.changed;
    const panel = form.closest("[data-rating]");
    panel.open = false;
    panel.querySelector("summary").focus();
  });
}
