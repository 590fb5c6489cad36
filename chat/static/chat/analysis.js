// The analysis beside an answer, whom it names, and the questions that may come next. The server's templates are filled, nothing is made of HTML.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** A number as short as it is, and text as it is; `pages.py` says the same. */
function figure(value) {
  return typeof value === "number" ? number.format(value) : String(value);
}

function item(...children) {
  const element = document.createElement("li");
  element.append(...children);
  return element;
}

function span(text, className = "") {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}

function scoreItem([name, score]) {
  const meter = Object.assign(document.createElement("meter"), { min: 0, max: 100, value: score });
  meter.setAttribute("aria-label", name);
  return item(span(name), meter, span(figure(score), "score"));
}

const PARTS = {
  scores: (kept) => Object.entries(kept.scores).map(scoreItem),
  recommendations: (kept) => kept.recommendations.map((text) => item(text)),
  insights: (kept) => kept.insights.map((text) => item(text)),
  data_points: (kept) => Object.entries(kept.data_points).map(([name, value]) => item(span(name, "muted"), ` ${figure(value)}`)),
};

/** Shows what stands beside an answer. `names` are those of the employees whom the reader may see, by id. */
export function showAnalysis(element, message, names) {
  const card = element.querySelector("[data-analysis]");
  if (!card) return;
  const kept = message.structured_data;
  card.hidden = !kept;
  for (const [name, items] of Object.entries(PARTS)) {
    const part = card.querySelector(`[data-part="${name}"]`);
    const found = kept ? items(kept) : [];
    part.hidden = !found.length;
    part.querySelector("ul").replaceChildren(...found);
  }
  showPeople(element.querySelector('[data-slot="employees"]'), message, names);
  showFollowUps(element.querySelector("[data-follow-ups]"), message);
}

function showPeople(details, message, names) {
  const people = (message.referenced_employees ?? []).filter(({ id }) => id in names);
  details.hidden = !people.length;
  details.querySelector("ul").replaceChildren(
    ...people.map(({ id, relevance }) => {
      const link = document.createElement("a");
      link.href = `${location.pathname}context/#e-${id}`;
      link.textContent = names[id];
      return item(link, `: ${relevance}`);
    }),
  );
}

function showFollowUps(group, { follow_ups: questions = [] }) {
  if (!group) return;
  group.hidden = !questions.length;
  group.replaceChildren(
    ...questions.map((question) => {
      const button = document.createElement("button");
      button.className = "button slim";
      button.setAttribute("form", "suggest");
      button.name = "text";
      button.value = question;
      button.textContent = question;
      button.dataset.suggest = "";
      return button;
    }),
  );
}
