// The dashboard's charts, drawn from the tables that stand beside them.

import { drawChart, whenSeen } from "../tenants/charts.js";

/** What the table of a figure says: labels, links, and of each column its name, colour, numbers (null where unknown) and their texts. */
function read(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")];
  const columns = [...figure.querySelectorAll("thead th[data-colour]")];
  return {
    labels: rows.map((row) => row.cells[0].textContent.trim()),
    links: rows.map((row) => row.querySelector("a")?.href),
    columns: columns.map((head, index) => {
      const cells = rows.map((row) => row.cells[index + 1]);
      return {
        name: head.textContent,
        colour: head.dataset.colour,
        numbers: cells.map((cell) => (cell.dataset.value === "" ? null : Number(cell.dataset.value))),
        texts: cells.map((cell) => cell.textContent.trim()),
      };
    }),
  };
}

const watch = whenSeen((figure) => drawChart(figure.querySelector("canvas"), { kind: figure.dataset.chart, ...read(figure) }));
for (const figure of document.querySelectorAll("[data-chart]")) watch(figure);
