// The waterfall: a few recycled rows over any number of lines, on one axis that can be zoomed.

const LETTERS = { llm: "M", embedding: "M", tool: "T", retrieval: "R", agent: "A" };
const KINDS = ["run", "llm", "embedding", "tool", "agent", "retrieval"];
const FAILED = ["error", "failed", "timeout"];
const STATES = ["success", "failed", "timeout", "partial", "running", "cancelled", "stale", "open", "killed"];
const SVG = "http://www.w3.org/2000/svg";

// What a line is when the lines are sent again. Made when it is asked for: of ten thousand lines few are.
const identity = ({ count, kind, run, span, name, start }) =>
  `${count > 1 ? "group" : kind === "run" ? "run" : "span"} ${run} ${span} ${count > 1 ? name + start : ""}`;

class Waterfall {
  constructor(section) {
    this.section = section;
    this.body = find("#wf-body");
    this.rows = find("#wf-rows");
    this.strip = find("#wf-strip");
    this.axis = find("#wf-axis");
    this.detail = find("#detail");
    this.chosen = -1;
    this.words = "";
    this.pool = [];
    this.from = 0;
    this.to = null;
    this.draw = this.draw.bind(this);
  }

  async load() {
    const value = await (await ask({ part: "lines" })).json();
    const isFirst = !this.lines;
    const anchor = this.lines && this.visible[Math.floor(this.body.scrollTop / this.height)];
    const anchorKey = anchor === undefined ? null : identity(this.lines[anchor]);
    const chosenKey = this.lines?.[this.chosen] && identity(this.lines[this.chosen]);
    this.take(value);
    if (isFirst) this.begin(value.focus);
    else {
      this.chosen = this.lines.findIndex((line) => identity(line) === chosenKey);
      this.see();
      const at = this.visible.findIndex((number) => identity(this.lines[number]) === anchorKey);
      if (at >= 0 && anchorKey !== null && this.body.scrollTop > 0) this.body.scrollTop = at * this.height;
    }
  }

  take(value) {
    this.end = value.end;
    this.origin = Date.parse(value.origin);
    const before = new Map(this.lines?.filter((line) => line.inside).map((line) => [identity(line), line.folded]));
    this.lines = value.lines.map(([parent, depth, inside, folded, count, kind, name, start, end, state, note, run, span]) => (
      { parent, depth, inside, folded: !!folded, count, kind, name: value.names[name], start, end, state, note, run: value.runs[run], span }));
    for (const line of this.lines) if (line.inside) line.folded = before.get(identity(line)) ?? line.folded;
  }

  begin(focus) {
    this.body.classList.add("virtual");
    this.height = matchMedia("(max-width: 44rem)").matches ? 44 : 22;
    this.rows.replaceChildren();
    find("#wf-pages").hidden = true;
    find(".wf-buttons", this.section).hidden = false;
    this.strip.hidden = this.height === 44;
    this.listen();
    this.see();
    const place = this.visible.indexOf(focus);
    this.body.scrollTop = Math.max(0, (place - (this.height === 44 ? 3 : 4)) * this.height);
    const wanted = decodeURIComponent(location.hash.replace(/^#span=/, ""));
    const given = location.hash.startsWith("#span=") ? this.lines.findIndex((line) => `${line.run} ${line.span}` === wanted) : -1;
    if (given >= 0) { this.open(given); this.choose(given, true); } else this.chosen = focus;
    this.draw();
  }

  listen() {
    this.body.addEventListener("scroll", () => requestAnimationFrame(this.draw), { passive: true });
    new ResizeObserver(() => { this.drawAxis(); this.drawStrip(); this.draw(); }).observe(this.body);
    this.body.addEventListener("click", (event) => this.click(event));
    this.body.addEventListener("dblclick", (event) => this.onRow(event, (number) => this.fit(number)));
    this.body.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.section.addEventListener("click", (event) => this.button(event.target.dataset.do));
    find("#wf-find").addEventListener("input", (event) => { this.words = event.target.value.toLowerCase(); this.draw(); });
    this.listenToStrip();
  }

  // Which lines are seen, after a fold or new lines.
  see() {
    this.visible = [];
    for (let number = 0; number < this.lines.length;) {
      this.visible.push(number);
      const line = this.lines[number];
      number += 1 + (line.inside && line.folded ? line.inside : 0);
    }
    const height = this.visible.length * this.height;
    this.rows.style.height = `${height}px`;
    this.body.style.height = `${Math.min(height, Math.max(220, innerHeight * 0.65))}px`;
    this.body.setAttribute("aria-rowcount", this.visible.length);
    this.drawAxis();
    this.drawStrip();
    this.draw();
  }

  get window() { return [this.from, this.to ?? this.end]; }

  draw() {
    const first = Math.max(0, Math.floor(this.body.scrollTop / this.height) - 4);
    const count = Math.min(60, Math.ceil(this.body.clientHeight / this.height) + 8);
    while (this.pool.length < count) this.pool.push(this.makeRow());
    this.pool.forEach((row, at) => {
      const place = first + at;
      const isSeen = at < count && place < this.visible.length;
      row.hidden = !isSeen;
      if (isSeen) this.fill(row, this.visible[place], place);
    });
  }

  makeRow() {
    const row = element("div", { class: "wf-row", role: "row" });
    const name = element("span", { class: "wf-name", role: "rowheader" });
    row.fold = element("span", { class: "wf-fold", "aria-hidden": "true" });
    row.letter = element("abbr", { class: "letter" });
    row.link = element("a", { tabindex: "-1" });
    row.title = "";
    row.what = element("bdi");
    row.link.append(row.what);
    row.note = element("bdi", { class: "note quiet" });
    name.append(row.fold, row.letter, row.link, " ", row.note);
    row.time = element("span", { class: "wf-time", role: "gridcell" });
    const cell = element("span", { role: "gridcell", class: "wf-cell" });
    const track = document.createElementNS(SVG, "svg");
    track.setAttribute("class", "wf-track");
    row.bar = document.createElementNS(SVG, "rect");
    row.bar.setAttribute("class", "bar");
    row.bar.setAttribute("y", "5");
    row.bar.setAttribute("height", "12");
    row.label = document.createElementNS(SVG, "text");
    row.label.setAttribute("y", "16");
    track.append(row.bar, row.label);
    cell.append(track);
    row.append(name, row.time, cell);
    this.rows.append(row);
    return row;
  }

  fill(row, number, place) {
    const line = this.lines[number];
    const isFolded = line.folded;
    const state = FAILED.includes(line.state) ? "failed" : STATES.includes(line.state) ? line.state : "other";
    const isDim = this.words && !`${line.name} ${line.note} ${line.kind}`.toLowerCase().includes(this.words);
    row.className = `wf-row d${Math.min(line.depth, 16)} k-${KINDS.includes(line.kind) ? line.kind : "step"} st-${state}`
      + (line.count > 1 ? " group" : "") + (number === this.chosen ? " chosen" : "") + (isDim ? " dim" : "");
    row.style.transform = `translateY(${place * this.height}px)`;
    row.number = number;
    row.id = `step-${number}`;
    row.setAttribute("aria-level", line.depth + 1);
    row.setAttribute("aria-rowindex", place + 1);
    if (line.inside) row.setAttribute("aria-expanded", String(!isFolded)); else row.removeAttribute("aria-expanded");
    row.fold.textContent = line.inside ? (isFolded ? "▸" : "▾") : "";
    row.letter.textContent = LETTERS[line.kind] ?? "";
    row.letter.title = line.kind;
    row.what.textContent = line.name + (line.count > 1 ? ` × ${line.count}` : "");
    row.note.textContent = (line.depth > 16 ? `depth ${line.depth} ` : "") + line.note;
    row.link.setAttribute("href", `#span=${encodeURIComponent(`${line.run} ${line.span}`)}`);
    row.time.textContent = line.end === null ? "open" : duration(line.end - line.start);
    this.place(row, line);
  }

  // Positions are attributes of SVG: the policy of the page lets no style be written into HTML.
  place(row, line) {
    const [from, to] = this.window;
    const share = (time) => (100 * (time - from)) / (to - from);
    const left = share(line.start), right = share(line.end ?? this.now());
    const x = Math.max(-1, left), width = Math.min(101, right) - x;
    const isOut = right < 0 || left > 100;
    row.bar.setAttribute("x", `${isOut ? 0 : x}%`);
    row.bar.setAttribute("width", isOut ? "0" : width > 0.15 ? `${width}%` : "2");
    row.label.textContent = isOut ? (right < 0 ? `◂ ${row.time.textContent}` : `${row.time.textContent} ▸`) : "";
    row.label.setAttribute("x", right < 0 ? "0" : "100%");
    row.label.setAttribute("text-anchor", right < 0 ? "start" : "end");
  }

  now() { return this.section.dataset.live === "1" ? Math.max(this.end, Date.now() - this.origin) : this.end; }

  drawAxis() {
    const [from, to] = this.window;
    const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5];
    const most = Math.max(2, Math.floor(this.axis.clientWidth / 90));
    let step = steps.find((one) => (to - from) / one <= most) ?? 864e5;
    while ((to - from) / step > most) step *= 2;
    const ticks = [];
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
      const text = document.createElementNS(SVG, "text");
      text.setAttribute("x", `${(100 * (time - from)) / (to - from)}%`);
      text.setAttribute("y", "12");
      if (time - from < step / 4) text.setAttribute("class", "first");
      text.textContent = duration(time);
      ticks.push(text);
    }
    this.axis.replaceChildren(...ticks);
  }

  drawStrip() {
    const strip = this.strip;
    if (strip.hidden) return;
    const width = strip.width = strip.clientWidth, height = strip.height = 28;
    const paint = strip.getContext("2d"), style = getComputedStyle(this.section);
    const color = (name) => style.getPropertyValue(`--${name}`);
    const deepest = Math.max(1, ...this.lines.map((line) => line.depth));
    for (const line of this.lines) {
      const x = (width * line.start) / this.end, w = (width * ((line.end ?? this.end) - line.start)) / this.end;
      paint.fillStyle = color(FAILED.includes(line.state) ? "failed" : line.end === null ? "running" : line.kind === "llm" ? "model" : "step");
      paint.fillRect(x, (height - 3) * (line.depth / (deepest + 1)), Math.max(1, w), Math.max(1, (height / (deepest + 1)) * 0.8));
    }
    const [from, to] = this.window;
    if (from > 0 || to < this.end) {
      paint.fillStyle = color("running");
      paint.globalAlpha = 0.2;
      paint.fillRect((width * from) / this.end, 0, (width * (to - from)) / this.end, height);
    }
  }

  listenToStrip() {
    let begin = null;
    const time = (event) => this.end * Math.max(0, Math.min(1, event.offsetX / this.strip.clientWidth));
    this.strip.addEventListener("pointerdown", (event) => { begin = time(event); this.strip.setPointerCapture(event.pointerId); });
    this.strip.addEventListener("pointermove", (event) => { if (begin !== null) this.zoomTo(Math.min(begin, time(event)), Math.max(begin, time(event))); });
    this.strip.addEventListener("pointerup", (event) => { if (Math.abs(time(event) - begin) < this.end / 200) this.zoomTo(0, null); begin = null; });
  }

  zoomTo(from, to) {
    const least = this.end / 1e6;
    this.from = Math.max(0, from);
    this.to = to === null || to >= this.end ? null : Math.max(to, this.from + least);
    this.drawAxis();
    this.drawStrip();
    this.draw();
  }

  zoom(factor, at = 0.5) {
    const [from, to] = this.window;
    const middle = from + (to - from) * at, length = (to - from) * factor;
    if (length >= this.end) return this.zoomTo(0, null);
    this.zoomTo(middle - length * at, middle + length * (1 - at));
  }

  fit(number) {
    const line = this.lines[number];
    if (!line) return;
    const end = line.end ?? this.now(), margin = Math.max((end - line.start) * 0.05, this.end / 1e6);
    this.zoomTo(line.start - margin, end + margin);
  }

  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = this.axis.getBoundingClientRect();
    this.zoom(event.deltaY > 0 ? 1.25 : 0.8, Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)));
  }

  onRow(event, work) {
    const row = event.target.closest(".wf-row");
    if (row) work(row.number, row);
  }

  click(event) {
    if (event.metaKey || event.ctrlKey) return;
    this.onRow(event, (number) => {
      event.preventDefault();
      if (event.target.closest(".wf-fold")) return this.fold(number);
      this.choose(number);
    });
    this.body.focus({ preventScroll: true });
  }

  // The line that was folded stays where it was under the pointer.
  fold(number, to = !this.lines[number].folded) {
    if (!this.lines[number].inside) return;
    const before = this.visible.indexOf(number) * this.height - this.body.scrollTop;
    this.lines[number].folded = to;
    this.see();
    this.body.scrollTop = this.visible.indexOf(number) * this.height - before;
    this.draw();
  }

  open(number) {
    for (let at = this.lines[number].parent; at >= 0; at = this.lines[at].parent) this.lines[at].folded = false;
    this.see();
  }

  async choose(number, scrolls = false) {
    const line = this.lines[number];
    this.chosen = number;
    this.body.setAttribute("aria-activedescendant", `step-${number}`);
    if (scrolls) this.show(number);
    this.draw();
    if (line.count > 1) return;
    const name = `${line.run} ${line.span}`;
    history.replaceState(history.state, "", `#span=${encodeURIComponent(name)}`);
    const part = await askPart({ part: "detail", span: name });
    if (this.chosen === number) this.detail.replaceChildren(part);
  }

  show(number) {
    const top = this.visible.indexOf(number) * this.height;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    else if (top + this.height > this.body.scrollTop + this.body.clientHeight) this.body.scrollTop = top + this.height - this.body.clientHeight;
  }

  move(by) {
    const at = this.visible.indexOf(this.chosen);
    const next = this.visible[Math.max(0, Math.min(this.visible.length - 1, at + by))];
    if (next !== undefined) this.choose(next, true);
  }

  next(test) {
    for (let i = 1; i <= this.lines.length; i++) {
      const number = (this.chosen + i + this.lines.length) % this.lines.length;
      if (test(this.lines[number])) { this.open(number); this.choose(number, true); return; }
    }
  }

  left() {
    const line = this.lines[this.chosen];
    if (line?.inside && !line.folded) this.fold(this.chosen, true);
    else if (line && line.parent >= 0) this.choose(line.parent, true);
  }

  right() {
    const line = this.lines[this.chosen];
    if (line?.inside && line.folded) this.fold(this.chosen, false);
    else if (line?.inside) this.choose(this.chosen + 1, true);
  }

  unfoldBelow() {
    const line = this.lines[this.chosen];
    if (!line) return;
    for (let n = this.chosen; n <= this.chosen + line.inside; n++) this.lines[n].folded = false;
    this.see();
  }

  button(what) {
    const actions = {
      error: () => this.next((line) => FAILED.includes(line.state)), fit: () => this.fit(this.chosen),
      all: () => this.zoomTo(0, null), in: () => this.zoom(0.5), out: () => this.zoom(2),
    };
    actions[what]?.();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.body.clientHeight / this.height) - 1);
    const actions = {
      ArrowDown: () => this.move(1), ArrowUp: () => this.move(-1), j: () => this.move(1), k: () => this.move(-1),
      PageDown: () => this.move(page), PageUp: () => this.move(-page), Home: () => this.move(-1e9), End: () => this.move(1e9),
      ArrowLeft: () => this.left(), ArrowRight: () => this.right(), "*": () => this.unfoldBelow(),
      Enter: () => this.choose(this.chosen), e: () => this.button("error"),
      o: () => this.next((line) => line.end === null || line.state === "killed"),
      "+": () => this.button("in"), "=": () => this.button("in"), "-": () => this.button("out"),
      f: () => this.button("fit"), 0: () => this.button("all"),
    };
    if (isGoing || (isOff() && event.key.length === 1) || !actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}

const section = find("#waterfall");
const shown = section ? new Waterfall(section) : null;
if (shown) {
  // A short run is whole in the page already; its rows are replaced by equal ones that can be zoomed.
  shown.load().catch(() => { /* The page without scripts is still there. */ });
}

// A run's page: its head changes in place; so do the lines, or the tab.
const head = find("#run-head");
if (head) {
  const run = head.dataset.run;
  const loadSoon = shown && throttled(() => shown.load(), () => (shown.lines?.length > 2000 ? 2000 : 250));
  refresh = async (ids) => {
    if (ids && !ids.includes(run)) return;
    const part = await askPart({ part: "head" });
    morph(head, find("#run-head", part));
    if (shown) { loadSoon(); return; }
    const isAtEnd = innerHeight + scrollY > document.documentElement.scrollHeight - 40;
    morph(main, await asMain());
    if (isAtEnd) scrollTo(0, document.documentElement.scrollHeight);
  };
  setInterval(() => { if (shown?.lines && section.dataset.live === "1" && !document.hidden) shown.draw(); }, 1000);
}
