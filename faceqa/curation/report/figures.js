/*
 * The figures of the report and of the demo, drawn as SVG from what figures.py counts.
 *
 *   faceqaFigures.draw(element, data)
 *     Replaces what is in `element` by the figures: a histogram of each measure, kept and rejected faces
 *     stacked, with a line at the limit; and a scatter plot of the two measures that make up the score, or of
 *     what stands in for them at a gate, kept faces as circles, rejected ones as crosses. Each says its numbers
 *     in a table, too.
 *     `data` is `figure_data(rows, policy, language)`; in another language: {...data, language: "ko"}.
 *   faceqaFigures.draw(element, data, {only: ["cafi", "scatter"]})
 *     Some of them only, in this order, by the names of the measures.
 *   faceqaFigures.reading(scale, value, language), faceqaFigures.limit(scale, value, language)
 *     A measured value, and a limit, as people read them, with their unit.
 *
 * Colours come from the page: --good, --bad, --line, and the colour of its text.
 */
"use strict";

const faceqaFigures = (() => {
  const WIDTH = 360;
  const LEFT = 42, RIGHT = 14, TOP = 22;
  const HISTOGRAM = {height: 196, bottom: 26};
  const SCATTER = {height: 330, bottom: 42};

  const svg = (name, attributes = {}, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  const html = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  const filled = (sentence, blanks) => sentence.replace(/\{(\w+)\}/g, (_, name) => blanks[name]);

  /* A value as Measure.text in the registry writes it. */
  const reading = (scale, value, language) =>
    (scale.unit === "%" ? 100 * value : value).toFixed(scale.shown) + unit(scale, language);

  /* A limit as it was set, with all of its digits. */
  const limit = (scale, value, language) =>
    Number((scale.unit === "%" ? 100 * value : value).toPrecision(6)) + unit(scale, language);

  function unit(scale, language) {
    if (scale.unit === "%") return language === "ko" ? "%" : " %";
    return scale.unit === "" || scale.unit === "°" ? scale.unit : ` ${scale.unit}`;
  }

  /* Three to six round numbers between two values. */
  function ticks(low, high, whole = false) {
    let step = 10 ** Math.floor(Math.log10((high - low) / 2));
    step *= [1, 2, 2.5, 5, 10].find((factor) => (high - low) / (step * factor) <= 5);
    if (whole) step = Math.max(1, Math.ceil(step));
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({length: last - first + 1}, (_, place) => Number(((first + place) * step).toPrecision(10)));
  }

  const tickText = (scale, value) =>
    scale.unit === "%" ? `${Number((100 * value).toPrecision(6))}%` : value.toLocaleString("en-US");

  /* From values to places in the drawing, and the grid behind it. */
  function plane(shape, low, high, most, least = 0) {
    const span = WIDTH - LEFT - RIGHT, rise = shape.height - TOP - shape.bottom;
    return {
      x: (value) => LEFT + span * (value - low) / (high - low),
      y: (value) => TOP + rise * (most - value) / (most - least),
      bottom: TOP + rise,
    };
  }

  function grid(places, across, up, shape) {
    const parts = [];
    for (const [value, text] of up) {
      parts.push(
        svg("line", {class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: places.y(value), y2: places.y(value)}),
        svg("text", {x: LEFT - 6, y: places.y(value) + 4, "text-anchor": "end"}, text),
      );
    }
    for (const [value, text] of across) {
      const anchor = places.x(value) > WIDTH - RIGHT - 12 ? "end" : "middle";
      const x = anchor === "end" ? WIDTH - 2 : places.x(value);
      parts.push(svg("text", {x, y: places.bottom + 17, "text-anchor": anchor}, text));
    }
    return parts;
  }

  const within = (scale, value) => value !== null && scale.low <= value && value <= scale.high;

  function limitLine(scale, places, language) {
    if (!within(scale, scale.limit)) return [];
    const x = places.x(scale.limit), toTheLeft = x > WIDTH / 2;
    const sign = scale.higher_is_better ? "≥" : "≤";
    return [
      svg("line", {class: "limit", x1: x, x2: x, y1: TOP - 10, y2: places.bottom}),
      svg(
        "text",
        {class: "limit", x: x + (toTheLeft ? -5 : 5), y: TOP - 3, "text-anchor": toTheLeft ? "end" : "start"},
        `${sign} ${limit(scale, scale.limit, language)}`,
      ),
    ];
  }

  const table = (label, rows) => html(
    "details", {},
    html("summary", {}, label),
    html("table", {}, html("tbody", {}, ...rows.map(([name, ...cells]) => html(
      "tr", {}, html("th", {scope: "row"}, name), ...cells.map((cell) => html("td", {}, cell)),
    )))),
  );

  const legend = (say) => html(
    "p", {class: "legend"},
    html("span", {class: "kept"}, `■ ● ${say("kept")}`), html("span", {class: "rejected"}, `□ ✕ ${say("rejected")}`),
  );

  function caption(title, note, colour, ...rest) {
    const dot = svg("svg", {class: "dot", viewBox: "0 0 10 10", "aria-hidden": "true"},
      svg("circle", {cx: 5, cy: 5, r: 5, fill: colour}));
    return html("figcaption", {}, dot, html("b", {}, title), " ", html("span", {class: "note"}, note), ...rest);
  }

  function histogram({scale, bins, numbers}, data, say) {
    const {language, languages} = data, at = languages.indexOf(language);
    const most = Math.max(1, ...bins.map(([kept, rejected]) => kept + rejected));
    const places = plane(HISTOGRAM, scale.low, scale.high, most);
    const step = (scale.high - scale.low) / bins.length;
    const bars = bins.map(([kept, rejected], place) => {
      const start = scale.low + place * step, end = start + step;
      const x = places.x(start) + 0.5, width = places.x(end) - places.x(start) - 1;
      const piece = (kind, below, count) => svg("rect", {
        class: kind, x, width, y: places.y(below + count), height: places.y(below) - places.y(below + count),
      });
      const said = filled(say("bar"), {
        start: reading(scale, start, language), end: reading(scale, end, language),
        kept: kept.toLocaleString("en-US"), rejected: rejected.toLocaleString("en-US"),
      });
      return svg(
        "g", {}, svg("title", {}, said),
        svg("rect", {class: "behind", x, width, y: TOP, height: places.bottom - TOP}),
        ...(kept ? [piece("kept", 0, kept)] : []), ...(rejected ? [piece("rejected", kept, rejected)] : []),
      );
    });
    const note = scale.replaced
      ? `${scale.meaning[at]} · ${filled(say("replaced"), {measure: scale.replaced[at]})}` : scale.meaning[at];
    const rows = Object.entries(numbers).map(([name, value]) => [say(name), reading(scale, value, language)]);
    const label = filled(say("histogram"), {title: scale.title[at]}) + " "
      + rows.map((row) => row.join(" ")).join(", ");
    const drawing = svg(
      "svg", {viewBox: `0 0 ${WIDTH} ${HISTOGRAM.height}`, role: "img", "aria-label": label},
      ...grid(
        places, ticks(scale.low, scale.high).map((value) => [value, tickText(scale, value)]),
        ticks(0, most, true).map((value) => [value, value.toLocaleString("en-US")]), HISTOGRAM,
      ),
      ...bars, ...limitLine(scale, places, language),
    );
    return html(
      "figure", {"data-figure": scale.name},
      caption(scale.title[at], note, scale.colour), drawing, table(say("numbers"), rows),
    );
  }

  /* One hue a reason, none of them the green of what is kept; the legend below names them. */
  const HUES = [0, 265, 205, 35, 320, 185, 290, 55];
  const hue = (reason) => `hsl(${HUES[reason % HUES.length]} 75% 48%)`;

  function scatter({x, y, points, faces, line, counts, reasons}, data, say) {
    const {language, languages} = data, at = languages.indexOf(language);
    const places = plane(SCATTER, x.low, x.high, y.high, y.low);
    const marks = points.map(([across, up, kept, name, reason]) => {
      const cx = places.x(across), cy = places.y(up);
      const said = `${name}: ${x.title[at]} ${reading(x, across, language)}, `
        + `${y.title[at]} ${reading(y, up, language)}, ${say(kept ? "kept" : "rejected")}`
        + (reason === null ? "" : `: ${reasons[reason][at]}`);
      const shape = kept
        ? svg("circle", {class: "kept", cx, cy, r: 2.8})
        : svg("path", {class: "rejected", d: `M${cx - 2.4} ${cy - 2.4}l4.8 4.8m0 -4.8l-4.8 4.8`});
      if (reason !== null) shape.style.stroke = hue(reason);
      shape.append(svg("title", {}, said));
      return shape;
    });
    const named = reasons.length
      ? [html("p", {class: "reasons-legend"}, ...reasons.map((words, reason) => {
        const mark = html("i", {}, "✕");
        mark.style.color = hue(reason);
        return html("span", {}, mark, ` ${words[at]}`);
      }))]
      : [];
    const lines = [];
    if (line) {
      const [x1, y1, x2, y2] = line;
      lines.push(svg("line", {
        class: "limit", x1: places.x(x1), y1: places.y(y1), x2: places.x(x2), y2: places.y(y2),
      }));
    }
    if (within(y, y.limit)) {
      const height = places.y(y.limit);
      lines.push(svg("line", {class: "limit", x1: LEFT, x2: WIDTH - RIGHT, y1: height, y2: height}));
    }
    const drawn = points.length < faces
      ? " " + filled(say("drawn"), {points: points.length.toLocaleString("en-US"), faces: faces.toLocaleString("en-US")})
      : "";
    const titles = {x: x.title[at], y: y.title[at]};
    const drawing = svg(
      "svg",
      {viewBox: `0 0 ${WIDTH} ${SCATTER.height}`, role: "img", "aria-label": filled(say("scatter"), titles) + drawn},
      ...grid(
        places, ticks(x.low, x.high).map((value) => [value, tickText(x, value)]),
        ticks(y.low, y.high).map((value) => [value, tickText(y, value)]), SCATTER,
      ),
      ...marks.filter((mark) => mark.tagName === "path"), ...marks.filter((mark) => mark.tagName === "circle"),
      ...lines, ...limitLine(x, places, language),
      svg("text", {class: "axis", x: (LEFT + WIDTH - RIGHT) / 2, y: SCATTER.height - 6, "text-anchor": "middle"}, titles.x),
      svg("text", {class: "axis", x: 2, y: TOP - 9}, titles.y),
    );
    const head = html("tr", {}, html("td"), ...["below", "above"].map((side) => html(
      "th", {scope: "col"}, `${titles.x}: ${say(side)}`,
    )));
    const numbers = table(say("numbers"), counts.map((cells, row) => [
      say(row ? "score.below" : "score.above"), ...cells.map((cell) => cell.toLocaleString("en-US")),
    ]));
    numbers.querySelector("table").prepend(html("thead", {}, head));
    return html(
      "figure", {"data-figure": "scatter"},
      caption(`${titles.x} · ${titles.y}`, say("lines") + drawn, y.colour),
      drawing, ...named, ...(counts.length ? [numbers] : []),
    );
  }

  function draw(element, data, {only} = {}) {
    const at = data.languages.indexOf(data.language);
    const say = (key) => data.words[key][at];
    const figures = new Map(data.histograms.map((one) => [one.scale.name, () => histogram(one, data, say)]));
    if (data.scatter) figures.set("scatter", () => scatter(data.scatter, data, say));
    const chosen = (only ?? [...figures.keys()]).filter((name) => figures.has(name));
    element.classList.add("faceqa-figures");
    element.replaceChildren(
      figures.size ? legend(say) : html("p", {}, say("nothing")), ...chosen.map((name) => figures.get(name)()),
    );
  }

  return {draw, reading, limit};
})();
