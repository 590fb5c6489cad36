// Lines and bars. Chart.js is fetched when the first is drawn; every chart follows the page's colours, light or dark.

const LIBRARY = new URL("../vendor/chart.js/dist/chart.umd.min.js", import.meta.url);
const TICKS = 7; // of an axis, at most
const NARROW = [480, 4]; // pixels of a picture below which there are no more than so many

let library;

/** Chart.js, once. It is no module that a browser can import by itself: its own imports have bare names. */
function charts() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.addEventListener("load", () => resolve(globalThis.Chart));
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  return library;
}

/** The colour that a variable of the stylesheet is just now, light or dark. */
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Puts the colours of the moment into what Chart.js is given, or was given. */
function paint({ data, options }, { kind, columns }) {
  const [muted, line] = [colour("muted"), colour("line")];
  data.datasets.forEach((dataset, index) => {
    const ink = colour(columns[index].colour);
    const ground = kind === "line" ? colour("accent-soft") : ink;
    Object.assign(dataset, { borderColor: ink, backgroundColor: ground, pointBackgroundColor: ink, pointBorderColor: ink });
  });
  for (const scale of Object.values(options.scales)) scale.ticks.color = muted;
  options.scales.y.grid.color = line;
  options.plugins.legend.labels.color = muted;
}

/**
 * Draws on a canvas. `kind` is line or bar; each of `columns` has a name, the variable of its colour, `numbers` (null where unknown) and their
 * `texts`; `links` says where a click leads, if anywhere.
 */
export async function drawChart(canvas, { kind, labels, columns, links = [] }) {
  const Chart = await charts();
  const maxTicksLimit = canvas.parentElement.clientWidth < NARROW[0] ? NARROW[1] : TICKS;
  const wanted = {
    type: kind,
    data: {
      labels,
      datasets: columns.map(({ name, numbers }) => ({
        label: name,
        data: numbers,
        borderWidth: kind === "line" ? 2 : 0,
        borderRadius: 3,
        maxBarThickness: 28,
        pointRadius: labels.length > 40 ? 0 : 2,
        pointHitRadius: 12,
        fill: kind === "line" && columns.length === 1,
        cubicInterpolationMode: "monotone",
      })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      onClick: (_, [at]) => at && links[at.index] && location.assign(links[at.index]),
      scales: {
        x: { grid: { display: false }, border: { display: false }, ticks: { maxTicksLimit, maxRotation: 0, autoSkipPadding: 12 } },
        y: { beginAtZero: true, border: { display: false }, grid: {}, ticks: { maxTicksLimit: 5 } },
      },
      plugins: {
        colors: { enabled: false },
        legend: { display: columns.length > 1, position: "bottom", labels: { boxWidth: 10, boxHeight: 10 } },
        tooltip: { callbacks: { label: ({ datasetIndex, dataIndex }) => `${columns[datasetIndex].name}: ${columns[datasetIndex].texts[dataIndex]}` } },
      },
    },
  };
  paint(wanted, { kind, columns });
  const chart = new Chart(canvas, wanted);
  repaint.add(() => {
    if (!canvas.isConnected) return chart.destroy();
    paint(chart, { kind, columns });
    chart.update();
  });
}

const repaint = new Set();
const paintAll = () => repaint.forEach((again) => again());
new MutationObserver(paintAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintAll);

/** Calls `draw` with each figure that is about to be seen, once; returns what watches one more. */
export function whenSeen(draw) {
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watcher.unobserve(target);
        draw(target)
          .then(() => {
            target.dataset.drawn = "";
          })
          .catch(() => {
            const place = target.querySelector(".figure-canvas");
            place.dataset.failed = "";
            place.textContent = "The picture could not be drawn. The table has the numbers.";
          });
      }
    },
    { rootMargin: "200px" },
  );
  return (figure) => watcher.observe(figure);
}
