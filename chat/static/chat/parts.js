// The parts of a message: text, code, images, cards, buttons, tables and charts. `_parts.html` and `actions.py` say the same for the page
// as it is served.

const COLOURS = ["accent", "warning", "code-name", "danger"]; // of a chart's columns, in turn

function make(tag, { className = "", text = "", ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function prose({ html }) {
  const element = make("div", { className: "prose", dir: "auto" });
  // The server made this HTML and passed it through its allow-list (chat/markdown.py).
  element.innerHTML = html;
  return element;
}

function image({ value }) {
  if (!value.attachment_id) return make("figure", { className: "part-image" }, make("span", { className: "image-alt", text: `[image: ${value.name}]` }));
  const src = `${location.pathname}attachments/${value.attachment_id}/picture/`;
  const picture = make("img", { src, alt: "", width: 96, height: 96, loading: "lazy" });
  return make("figure", { className: "part-image" }, picture, make("figcaption", { text: value.name }));
}

/** A link to a page of ours, or plain words where the action is not known: nothing else is ever done. */
function button({ value }, actions) {
  if (!Object.hasOwn(actions, value.action)) return make("span", { className: "part-words", text: value.label });
  const href = actions[value.action].replace("{}", () => encodeURIComponent(value.argument ?? ""));
  const asks = value.action === "ask" ? { "data-ask": value.argument ?? "" } : {};
  return make("a", { className: "button slim part-button", text: value.label, href, ...asks });
}

function card({ value }) {
  const facts = (value.facts ?? []).map((fact) => make("div", {}, make("dt", { text: fact.name }), make("dd", { text: fact.value })));
  const shown = [make("p", { className: "part-title", text: value.title })];
  if (value.text) shown.push(make("p", { text: value.text }));
  if (facts.length) shown.push(make("dl", {}, ...facts));
  return make("section", { className: "part-card", "aria-label": value.title }, ...shown);
}

function table({ value }) {
  const figure = make("figure", { className: "part-table" }, make("figcaption", { className: "part-title", text: value.title }));
  if (!value.rows.length) {
    figure.append(make("p", { className: "muted", text: "There are no figures for this." }));
    return figure;
  }
  const head = value.columns.map((name) => make("th", { scope: "col", text: name }));
  const rows = value.rows.map((row) =>
    make("tr", {}, ...row.map((cell) => make("td", { className: typeof cell === "number" ? "align-right" : "", text: cellText(cell) }))),
  );
  const made = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  figure.append(make("div", { className: "table-scroll prose", tabindex: "0", role: "region", "aria-label": value.title }, made));
  return figure;
}

/** A number with its thousands apart and two places at most, as the server writes it. */
function cellText(cell) {
  return typeof cell === "number" ? cell.toLocaleString("en-US", { maximumFractionDigits: 2 }) : cell;
}

function chart({ value }) {
  const canvas = make("canvas", { role: "img", "aria-label": `${value.title}, drawn. The same numbers are in the table.` });
  const caption = make("figcaption", { className: "visually-hidden", text: `${value.title}, drawn` });
  const figure = make("figure", { className: "part-chart", "data-figures": JSON.stringify(value) }, caption, make("div", { className: "figure-canvas" }, canvas));
  drawCharts([figure]);
  return figure;
}

let watching;

/** Draws these charts when they are about to be seen. What draws is fetched with the first. */
export function drawCharts(figures) {
  if (!figures.length) return;
  watching ??= import("../tenants/charts.js").then(({ drawChart, whenSeen }) => whenSeen((figure) => drawChart(figure.querySelector("canvas"), read(figure))));
  for (const figure of figures) figure.hidden = false; // without a script there is nothing to be seen in it
  watching.then((watch) => figures.forEach(watch));
}

function read(figure) {
  const { kind, labels, series } = JSON.parse(figure.dataset.figures);
  const columns = series.map(({ name, values }, place) => ({ name, colour: COLOURS[place % COLOURS.length], numbers: values, texts: values.map(cellText) }));
  return { kind, labels, columns };
}

const SHOWN = { text: prose, code: prose, image, button, card, table, chart };

/** Shows a message's parts; with a text among them they stand in the place of its own text. */
export function showParts(element, { parts = [] }, actions) {
  const slot = element.querySelector('[data-slot="parts"]');
  const made = parts.map((part) => {
    const shown = SHOWN[part.type](part, actions);
    shown.dataset.partType = part.type;
    return shown;
  });
  slot.replaceChildren(...made);
  slot.hidden = !parts.length;
  element.querySelector('[data-slot="body"]').hidden = parts.some(({ type }) => type === "text");
}
