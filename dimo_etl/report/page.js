"use strict";
// Draws each figure from the data in this page, all vehicles together or the one that is chosen.
(() => {
  const figures = JSON.parse(document.getElementById("data").textContent);
  const DAY = 86400000;
  const { first, last } = document.documentElement.dataset;
  const span = [Date.parse(first), Date.parse(last) + DAY];
  const dated = (span[1] - span[0]) / DAY < 100 ? { format: "%b %-d", tickMinStep: DAY } : {};
  const colours = { not_a_number: "--c7", clock: "--c6", sentinel: "--c2", too_large: "--c5", leap: "--c4", step_back: "--c3", noise: "--c8", other_source: "--c1" };
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const tenth = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const axis = {
    labelColor: "var(--muted)", titleColor: "var(--muted)", titleFontWeight: "normal", gridColor: "var(--grid)",
    domainColor: "var(--rule)", tickColor: "var(--rule)", labelFontSize: 11, titleFontSize: 11, labelPadding: 5,
  };
  const config = {
    background: null, font: "system-ui, sans-serif", view: { stroke: null }, axis, axisY: { domain: false, ticks: false },
    legend: { labelColor: "var(--muted)", labelFontSize: 12, symbolType: "circle", symbolSize: 70, symbolStrokeWidth: 0, symbolOpacity: 1, rowPadding: 4, columnPadding: 16, offset: 8 },
  };
  const options = {
    ast: true, actions: false, renderer: "svg", defaultStyle: false, config,
    tooltip: { disableDefaultStyle: true },
  };

  const told = (time, kind) => {
    const text = new Date(time).toISOString();
    return kind === "day" ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ") + " UTC";
  };

  // A figure's rows as objects; every time has a text beside it.
  const rowsOf = (figure, vehicle) => {
    const names = Object.keys(figure.columns);
    const rows = [];
    for (let n = 0; n < figure.columns.vehicle.length; n++) {
      if (vehicle && figure.columns.vehicle[n] !== vehicle) continue;
      const row = {};
      for (const name of names) row[name] = figure.columns[name][n];
      for (const [name, kind] of Object.entries(figure.times)) {
        if (row[name] !== null) row[`${name}_text`] = told(row[name], kind);
      }
      rows.push(row);
    }
    return rows;
  };

  // Rejected readings that lie far off the curve are shown at its edge.
  const within = (rows) => {
    const valid = rows.filter((row) => row.reason === null).map((row) => row.km);
    const low = Math.min(...valid), high = Math.max(...valid);
    const edge = Math.max((high - low) * 0.1, 0.5);
    for (const row of rows) {
      row.shown_km = valid.length ? Math.min(high + edge, Math.max(low - edge, row.km ?? low - edge)) : row.km;
    }
    return rows;
  };

  const along = (rows) => {
    rows.forEach((row, n) => {
      row.position = n;
      row.is_end = n + 1 === rows.length || rows[n + 1].trip !== row.trip;
    });
    return rows;
  };

  const element = (kind, text, name) => {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const views = [];
  const draw = async (place, chart, rows) => {
    const x = chart.encoding?.x;
    if (x) {
      // As expressions: a plain number is taken for a date and lost.
      [x.scale.domainMin, x.scale.domainMax] = span.map((time) => ({ expr: String(time) }));
      Object.assign(x.axis, dated);
    }
    try {
      const drawn = await vegaEmbed(place, { ...chart, datasets: { rows } }, options);
      views.push(drawn);
    } catch (error) {
      place.textContent = `This chart could not be drawn: ${error.message}`;
      console.error(error);
    }
  };

  const cars = new Map();
  const fleet = figures.find((figure) => figure.name === "fleet");
  fleet.columns.vehicle.forEach((vehicle, n) => cars.set(vehicle, fleet.columns.car[n]));

  const legendOf = (rows) => {
    const reasons = new Map();
    for (const row of rows) {
      if (row.reason !== null) reasons.set(row.reason, (reasons.get(row.reason) ?? 0) + row.readings);
    }
    const legend = element("div", undefined, "legend");
    for (const [reason, readings] of [...reasons].sort()) {
      const item = element("span");
      const dot = element("i");
      dot.style.background = `var(${colours[reason]})`;
      item.append(dot, `${reason.replaceAll("_", " ")} (${whole.format(readings)})`);
      legend.append(item);
    }
    return legend;
  };

  // What there is to know of one vehicle's rows: a line of text, and the chart with the layers that
  // have any; null where nothing can be drawn.
  const ofOne = {
    odometer: (rows, chart) => {
      const valid = within(rows).filter((row) => row.reason === null);
      const layer = chart.layer.filter((_, n) => (n < 2 ? valid.length : valid.length < rows.length));
      const text = valid.length ? `${tenth.format(valid[0].km)} → ${tenth.format(valid.at(-1).km)} km` : "no valid reading";
      return [text, rows.some((row) => row.shown_km !== null) ? { ...chart, layer } : null];
    },
    trips: (rows, chart) => {
      along(rows);
      const ends = rows.filter((row) => row.is_end);
      return [`${whole.format(ends.length)} trips since ${rows[0].started_text.slice(0, 10)}`, chart];
    },
  };

  const drawEach = async (place, figure, rows) => {
    if (figure.name === "odometer" && rows.some((row) => row.reason !== null)) place.append(legendOf(rows));
    for (const vehicle of new Set(rows.map((row) => row.vehicle))) {
      const own = rows.filter((row) => row.vehicle === vehicle);
      const [text, chart] = ofOne[figure.name](own, figure.chart);
      const cell = element("div", undefined, "cell");
      cell.append(element("h3", [vehicle, cars.get(vehicle)].filter(Boolean).join(" · ")), element("p", text));
      place.append(cell);
      if (!chart) continue;
      const drawing = element("div", undefined, "chart");
      cell.append(drawing);
      await draw(drawing, chart, own);
    }
  };

  const sums = (vehicle) => {
    const rows = rowsOf(fleet, vehicle);
    for (const tile of document.querySelectorAll("[data-sum]")) {
      tile.textContent = whole.format(rows.reduce((sum, row) => sum + (row[tile.dataset.sum] ?? 0), 0));
    }
  };

  const show = async (vehicle) => {
    document.documentElement.dataset.drawn = "";
    for (const view of views.splice(0)) view.finalize();
    for (const row of document.querySelectorAll("tr[data-vehicle]")) {
      row.hidden = Boolean(vehicle) && row.dataset.vehicle !== vehicle;
    }
    if (vehicle !== null) sums(vehicle);
    for (const figure of figures) {
      const place = document.querySelector(`[data-figure="${figure.name}"]`);
      if (!place) continue;
      const rows = rowsOf(figure, vehicle);
      place.replaceChildren();
      if (rows.length === 0) place.append(element("p", "Nothing of this vehicle in these days.", "none"));
      else if (figure.each) await drawEach(place, figure, rows);
      else await draw(place, { height: 17 * new Set(rows.map((row) => row.vehicle)).size, ...figure.chart }, rows);
    }
    document.documentElement.dataset.drawn = String(views.length);
  };

  // One showing after the other, so that a quick choice does not draw into the one before.
  let shown = show(null);
  const choice = document.getElementById("vehicle");
  if (choice) choice.addEventListener("change", () => { shown = shown.then(() => show(choice.value)); });
})();
