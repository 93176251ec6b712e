/* What moves in the report: languages, the threshold that is tried, the gallery and the view of one face. */
"use strict";

(() => {
  const {page, entries} = JSON.parse(document.getElementById("data").textContent);
  const {score, measures, components, steps, reasons, causes} = page;
  const SCALES = [score, ...measures, ...components];
  const BATCH = 120;  // cards that come to the page together
  const NEAR = "1500px";  // of the end of the gallery, where more cards come
  const SHORT = 16;  // letters of a name on a card
  const SIGNS = {accept: "✓", reject: "✕", error: "!"};

  const faces = entries.map((values, order) => ({
    ...Object.fromEntries(page.fields.map((name, place) => [name, values[place]])), order,
  }));
  const state = {language: page.language, tried: null, sort: score.name, reversed: false, show: "all", why: "", cause: "",
    unfolded: false};

  const $ = (id) => document.getElementById(id);
  const words = (pair) => pair[page.languages.indexOf(state.language)];
  const count = (value) => value.toLocaleString("en-US");
  const filled = (sentence, blanks) => sentence.replace(/\{(\w+)\}/g, (_, name) => blanks[name]);
  const say = (name, blanks = {}) => filled(words(page.words[name]), blanks);

  function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  /* ---- Verdicts ---- */

  function valueOf(face, scale) {
    if (scale === score) return face.score;
    const place = measures.indexOf(scale);
    return place < 0 ? face.components[components.indexOf(scale)] : face.values[place];
  }

  /* Of a signed measure only the size is good or bad. */
  function sizeOf(face, scale) {
    const value = valueOf(face, scale) ?? null;
    return scale.signed && value !== null ? Math.abs(value) : value;
  }

  /* The threshold in force: the run's, or the one that is tried. */
  const threshold = () => state.tried ?? score.limit;

  /* Verdict and reasons of a face: a failed gate fails at any threshold. */
  function judged(face) {
    if (state.tried === null || face.score === null) return face;
    return face.score >= state.tried
      ? {verdict: "accept", reasons: []}
      : {verdict: "reject", reasons: [page.score_reason]};
  }

  /* The first step of the score's axis (figures.py) of which a threshold keeps the faces. */
  const firstKept = (limit) => Math.max(0, Math.ceil((limit - steps.low) / steps.size - 1e-6));

  /* How many of all faces are kept, and how often each reason comes; also of those that the page leaves out. */
  function counted() {
    const {faces: all, kept} = page.counts;
    if (state.tried === null) return {all, kept, reasons: page.reason_counts};
    const sum = (counts) => counts.reduce((total, one) => total + one, 0);
    const first = firstKept(state.tried);
    const stay = Object.entries(page.reason_counts).filter(([code]) => reasons[code].stays);
    return {
      all, kept: sum(steps.counts.slice(first)),
      reasons: {...Object.fromEntries(stay), [page.score_reason]: sum(steps.counts.slice(0, first))},
    };
  }

  /* ---- What a reason says ---- */

  /* A value with three digits, or as many more as keep it on its side of the limit (verdict/reasons.py). */
  function readable(value, limit) {
    if (Number.isInteger(value)) return value;
    for (let digits = 3; digits < 16; digits += 1) {
      const short = Number(value.toPrecision(digits));
      if (short < limit === value < limit && short !== limit) return short;
    }
    return value;
  }

  function message(face, code) {
    const {measure, message: sentence, short} = reasons[code];
    if (face.verdict === "error" && face.error && state.language === "en") return face.error;
    const scale = SCALES.find((one) => one.name === measure);
    if (!scale) return /\{/.test(words(sentence)) ? words(short) : words(sentence);
    const limit = scale === score ? threshold() : scale.limit;
    const value = readable(sizeOf(face, scale), limit);
    const numbers = {value, limit, value_percent: 100 * value, limit_percent: 100 * limit};
    return words(sentence).replace(/\{(\w+):g\}/g, (_, name) => String(Number(numbers[name].toPrecision(6))));
  }

  const limitText = (scale, limit) => faceqaFigures.limit(scale, limit, state.language);

  /* ---- The gallery: all faces in order, of which so many are on the page as were scrolled to ---- */

  const fullName = (face) => face.image
    + (face.number ? ` · ${say("face_of", {number: face.number, faces: face.faces})}` : "");

  function shortName(face) {
    const name = face.image.split("/").pop();
    return name.length > SHORT ? `${name.slice(0, SHORT / 2 - 1)}…${name.slice(-SHORT / 2)}` : name;
  }

  function picture(face) {
    const seen = face.picture
      ? element("img", {src: face.picture, alt: face.faces ? say("alt", {name: face.image}) : face.image})
      : element("span", {}, say("no_picture"));
    return element("span", {class: "picture"}, seen);
  }

  const built = (face) => element(
    "button", {type: "button", "data-order": face.order, title: face.image}, picture(face),
    element("span", {class: "sign", "aria-hidden": "true"}),
    element("span", {class: "face-text"}, element("b"), element("span", {class: "name"}, shortName(face)),
      element("span", {class: "why"})),
  );

  /* The card of a face, with its verdict under the threshold in force. */
  function cardOf(face) {
    face.card ??= built(face);
    const {verdict, reasons: codes} = judged(face);
    const key = [state.language, verdict, ...codes].join(" ");
    if (face.marked === key) return face.card;
    face.marked = key;
    const [seen, sign, text] = face.card.children;
    const [number, , why] = text.children;
    const told = face.score === null
      ? say(`show.${verdict}`) : `${words(score.title)} ${faceqaFigures.reading(score, face.score, state.language)}`;
    const because = codes.map((code) => words(reasons[code].short)).join(", ");
    face.card.className = `face ${verdict}`;
    face.card.setAttribute("aria-label", [...new Set(
      [fullName(face), say(`show.${verdict}`), told, because].filter(Boolean),
    )].join(", "));
    if (!face.picture) seen.replaceWith(picture(face));
    [sign.textContent, number.textContent, why.textContent] = [SIGNS[verdict], told, because];
    return face.card;
  }

  function fits(face) {
    const {verdict, reasons: codes} = judged(face);
    return (state.show === "all" || verdict === state.show) && (!state.why || codes.includes(state.why))
      && (!state.cause || face.causes[0] === state.cause);
  }

  function ordered() {
    const scale = SCALES.find((one) => one.name === state.sort);
    const collator = new Intl.Collator(undefined, {numeric: true});
    const sign = state.reversed ? -1 : 1;
    if (!scale) return [...faces].sort((a, b) => sign * (collator.compare(a.image, b.image) || a.order - b.order));
    const best = scale.higher_is_better ? -1 : 1;
    return [...faces].sort((a, b) => {
      const [x, y] = [sizeOf(a, scale), sizeOf(b, scale)];
      if (x === null || y === null) return (x === null) - (y === null) || a.order - b.order;
      return sign * best * (x - y) || a.order - b.order;
    });
  }

  let sequence = [], fitting = [], drawn = 0;

  const end = new IntersectionObserver(([seen]) => {
    if (seen.isIntersecting && drawn < fitting.length) showMore();
  }, {rootMargin: NEAR});

  /* Looks once more whether the end of the gallery is near: an observer tells of changes only. */
  function watchEnd() {
    end.unobserve($("more"));
    end.observe($("more"));
  }

  function showMore() {
    const next = fitting.slice(drawn, drawn + BATCH);
    $("gallery").append(...next.map(cardOf));
    drawn += next.length;
    watchEnd();
  }

  function showGallery() {
    if (!faces.length) return;
    fitting = sequence.filter(fits);
    drawn = Math.min(fitting.length, Math.max(drawn, BATCH));
    $("gallery").replaceChildren(...fitting.slice(0, drawn).map(cardOf));
    $("shown").textContent = say("shown", {count: count(fitting.length)});
    $("none-fits").hidden = fitting.length > 0;
    watchEnd();
  }

  function sortGallery() {
    sequence = ordered();
    drawn = 0;
    showGallery();
  }

  const choices = (pairs) => pairs.map(([value, text]) => element("option", {value}, text));

  function options(select, pairs, chosen, group = null) {
    select.replaceChildren(...choices(pairs));
    if (group && group.pairs.length) select.append(element("optgroup", {label: group.label}, ...choices(group.pairs)));
    select.value = chosen;
  }

  function writeTools() {
    if (!faces.length) return;
    const present = new Set(faces.flatMap((face) => face.reasons));
    if (steps) present.add(page.score_reason);
    const taken = SCALES.filter((scale) => faces.some((face) => (valueOf(face, scale) ?? null) !== null));
    options($("show"), ["all", "accept", "reject", "error"].map((name) => [name, say(`show.${name}`)]), state.show);
    options($("why"), [["", say("why.any")], ...Object.keys(reasons).filter((code) => present.has(code))
      .map((code) => [code, words(reasons[code].short)])], state.why);
    const first = new Set(faces.map((face) => face.causes[0]));
    if ($("cause")) {
      options($("cause"), [["", say("cause.any")], ...Object.keys(causes).filter((name) => first.has(name))
        .map((name) => [name, words(causes[name].title)])], state.cause);
    }
    const named = (scales) => scales.filter((scale) => taken.includes(scale)).map((scale) => [scale.name, words(scale.title)]);
    options($("sort"), [...named([score, ...measures]), ["name", say("sort.name")]], state.sort,
      {label: say("components"), pairs: named(components)});
  }

  /* ---- One face ---- */

  const dialog = $("one");
  let current = null;

  function open(face) {
    current = face;
    writeOne();
    if (!dialog.open) dialog.showModal();
  }

  function turn(by) {
    const place = fitting.indexOf(current) + by;
    if (!fitting[place]) return;
    while (drawn <= place) showMore();
    open(fitting[place]);
  }

  function writeOne() {
    if (!current) return;
    const face = current, {verdict, reasons: codes} = judged(face), place = fitting.indexOf(face);
    $("one-name").textContent = fullName(face);
    dialog.querySelector(".one-picture").replaceChildren(picture(face));
    const told = dialog.querySelector(".one-told");
    told.className = `one-told ${verdict}`;
    told.replaceChildren(
      element("p", {class: "verdict"}, element("span", {class: "sign", "aria-hidden": "true"}, SIGNS[verdict]),
        say(`show.${verdict}`)),
      element("ul", {}, ...codes.map((code) => element(
        "li", {}, element("b", {}, message(face, code)), words(reasons[code].advice),
      )), ...caused(face, verdict)),
      table([...measured(face, [score, ...measures, ...components.filter((one) => one.limit !== null)]), ...described(face)]),
      ...unfolded(face),
    );
    $("place").textContent = place < 0 ? "" : say("place", {number: count(place + 1), all: count(fitting.length)});
    $("previous").disabled = place <= 0;
    $("next").disabled = place < 0 || place === fitting.length - 1;
  }

  const line = (name, value, note = "", kind = "") => element(
    "tr", {}, element("th", {scope: "row"}, name), element("td", {class: "number"}, value),
    element("td", {class: kind || "quiet"}, note),
  );

  const replaced = (scale) => filled(words(page.figures.words.replaced), {measure: words(scale.replaced)});

  /* What a low score likely comes from; the run told it with its own threshold. */
  function caused(face, verdict) {
    if (verdict !== "reject" || !face.causes.length) return [];
    const titles = face.causes.map((name) => words(causes[name].title)).join(", ");
    return [element("li", {class: "causes"}, element("b", {}, say("cause.likely", {causes: titles})), words(causes[face.causes[0]].advice))];
  }

  const table = (lines) => element("table", {}, element("tbody", {}, ...lines));

  /* The quality components in a fold, which stays open from face to face. */
  function unfolded(face) {
    const lines = measured(face, components);
    if (!lines.length) return [];
    const fold = element("details", {class: "components"}, element("summary", {}, say("components")), table(lines));
    fold.open = state.unfolded;
    fold.addEventListener("toggle", () => { state.unfolded = fold.open; });
    return [fold];
  }

  function measured(face, scales) {
    return scales.filter((scale) => (valueOf(face, scale) ?? null) !== null).map((scale) => {
      const value = valueOf(face, scale), limit = scale === score ? threshold() : scale.limit;
      const read = faceqaFigures.reading(scale, value, state.language);
      if (scale.replaced) return line(words(scale.title), read, replaced(scale));
      if (limit === null) return line(words(scale.title), read);
      const passes = scale.higher_is_better ? sizeOf(face, scale) >= limit : sizeOf(face, scale) <= limit;
      const bound = say(scale.higher_is_better ? "at_least" : "at_most", {limit: limitText(scale, limit)});
      const note = `${say(passes ? "passes" : "fails")} · ${bound}`;
      return line(words(scale.title), read, note, passes ? "" : "fails");
    });
  }

  /* The name of the better face that is nearly the same; it leads there if the page shows that face. */
  function twinOf(face) {
    const best = faces.find((one) => one.image === face.duplicate_of && one.duplicate_of === null);
    if (!best) return face.duplicate_of;
    const link = element("button", {type: "button", class: "link"}, shortName(best));
    link.addEventListener("click", () => open(best));
    return link;
  }

  function described(face) {
    return [
      ...(face.pose ? ["pitch", "roll"].map((name, at) => line(say(name), `${Math.round(face.pose[at]) || 0}°`)) : []),
      ...(face.eyes === null ? [] : [line(say("eyes"), `${face.eyes.toFixed(0)} px`)]),
      ...(face.size ? [line(say("size"), `${face.size[0]} × ${face.size[1]} px`)] : []),
      ...(face.duplicate_of === null ? [] : [line(say("duplicate_of"), twinOf(face))]),
    ];
  }

  /* ---- Numbers and figures that follow the threshold ---- */

  function writeCounts() {
    const {all, kept, reasons: by} = counted();
    const tried = state.tried !== null;
    if (all) {
      const percent = (100 * kept / all).toFixed(0);
      $("count-kept").textContent = count(kept);
      $("count-rejected").textContent = count(all - kept);
      $("share-bar").firstElementChild.setAttribute("width", 100 * kept / all);
      $("share").textContent = say("share", {kept: count(kept), faces: count(all), percent});
    }
    if (!steps) return;
    $("kept-of").textContent = say("kept_of", {kept: count(kept), faces: count(all)});
    $("threshold-value").textContent = String(threshold());
    $("reset").hidden = $("preview").hidden = !tried;
    $("preview-best").hidden = !page.limited;
    const most = Math.max(1, ...Object.values(by));
    for (const row of document.querySelectorAll("[data-code]")) {
      const number = by[row.dataset.code] ?? 0;
      row.hidden = !number;
      row.querySelector("td.number").textContent = count(number);
      row.querySelector(".bar rect").setAttribute("width", 100 * number / most);
    }
    $("no-reasons").hidden = Object.values(by).some(Boolean);
    for (const button of document.querySelectorAll("[data-threshold]")) {
      button.closest("tr").setAttribute("aria-current", String(Number(button.dataset.threshold) === threshold()));
    }
  }

  /* The histogram of the score, by the threshold that is tried. */
  function scoreFigure() {
    const known = page.figures.histograms.find((one) => one.scale.name === score.name);
    if (state.tried === null) return known;
    const {length} = known.bins, bins = Array.from({length}, () => [0, 0]);
    const wide = (steps.counts.length - 1) / length, first = firstKept(state.tried);
    steps.counts.forEach((number, step) => {
      bins[Math.min(length - 1, Math.floor(step / wide))][step >= first ? 0 : 1] += number;
    });
    return {...known, scale: {...known.scale, limit: threshold()}, bins};
  }

  function drawScore() {
    if (!steps) return;
    const histograms = [scoreFigure()];
    faceqaFigures.draw($("score-figure"), {...page.figures, language: state.language, histograms, scatter: null});
  }

  function drawFigures() {
    if (!$("figures")) return;
    const only = [...page.figures.histograms.map((one) => one.scale.name).filter((name) => name !== score.name), "scatter"];
    faceqaFigures.draw($("figures"), {...page.figures, language: state.language}, {only});
  }

  let waiting = 0;

  function tryThreshold(limit) {
    state.tried = limit;
    $("threshold").value = threshold();
    writeCounts();
    drawScore();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => { showGallery(); writeOne(); });
  }

  function speak(language) {
    state.language = language;
    document.documentElement.lang = language;
    document.title = say("title");
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
    for (const named of document.querySelectorAll("[data-label]")) {
      named.setAttribute("aria-label", say(named.dataset.label));
      if (named.tagName === "BUTTON") named.title = say(named.dataset.label);
    }
    writeCounts();
    drawScore();
    drawFigures();
    writeTools();
    showGallery();
    writeOne();
  }

  /* ---- Events ---- */

  for (const node of document.querySelectorAll(".script, .switch")) node.hidden = false;
  for (const node of document.querySelectorAll(".numbers")) node.open = false;  // the figures say the same

  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => speak(button.dataset.language));
  }
  if (steps) {
    Object.assign($("threshold"), {min: steps.low, max: steps.high, step: page.slider_step, value: score.limit});
    $("try").addEventListener("submit", (event) => event.preventDefault());
    $("threshold").addEventListener("input", () => tryThreshold(Number($("threshold").value)));
    $("reset").addEventListener("click", () => tryThreshold(null));
    for (const button of document.querySelectorAll("[data-threshold]")) {
      button.addEventListener("click", () => tryThreshold(Number(button.dataset.threshold)));
    }
  }
  /* Shows the faces of a reason or a cause alone. */
  function filter(chosen, select) {
    Object.assign(state, {why: "", cause: "", show: "all", ...chosen});
    drawn = 0;
    writeTools();
    showGallery();
    $("faces").scrollIntoView({behavior: "instant"});
    $(select).focus({preventScroll: true});
  }

  for (const button of document.querySelectorAll("[data-reason]")) {
    button.addEventListener("click", () => filter({why: button.dataset.reason}, "why"));
  }
  for (const button of document.querySelectorAll("[data-cause]")) {
    button.addEventListener("click", () => filter({cause: button.dataset.cause}, "cause"));
  }
  if (faces.length) {
    for (const name of ["show", "why", "cause"]) {
      $(name)?.addEventListener("change", (event) => {
        state[name] = event.target.value;
        drawn = 0;
        showGallery();
      });
    }
    $("sort").addEventListener("change", (event) => { state.sort = event.target.value; sortGallery(); });
    $("reverse").addEventListener("click", () => {
      state.reversed = !state.reversed;
      $("reverse").setAttribute("aria-pressed", String(state.reversed));
      sortGallery();
    });
    $("gallery").addEventListener("click", (event) => {
      const card = event.target.closest(".face");
      if (card) open(faces[card.dataset.order]);
    });
    $("close").addEventListener("click", () => dialog.close());
    $("previous").addEventListener("click", () => turn(-1));
    $("next").addEventListener("click", () => turn(1));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("keydown", (event) => {
      const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (by) { event.preventDefault(); turn(by); }
    });
    dialog.addEventListener("close", () => { current?.card?.focus(); current = null; });
  }

  if (faces.length) sortGallery();
  speak(state.language);
})();
