// The keyboard: one letter each, never inside a field or with Ctrl, Alt or Meta.

const HELP = [
  ["j k", "next and previous"], ["Enter", "open"], ["Esc u", "back up"], ["/", "search"],
  ["g then o r a u s h", "Overview, Runs, Agents, Usage, SQL, Health"], ["p", "pause and go on"],
  ["n", "take the new runs"], ["x", "mark a run for comparing"], ["c", "compare the two marked"],
  ["y", "copy the address"], ["[ ]", "run before and after in the list one came from"], ["?", "these keys"],
];
const HELP_WATERFALL = [
  ["← →", "fold, unfold, go to the parent"], ["e", "next error"], ["o", "next open step"],
  ["+ -", "zoom"], ["f", "fit the chosen step"], ["0", "all of it"], ["*", "unfold all below"],
];
const PAGES = { o: "/", r: "/runs", a: "/agents", u: "/usage", s: "/sql", h: "/health" };
const isOff = () => memory.get("keys") === "off";
const marked = [];
let isGoing = false;

const items = () => all("#runs-table tbody tr, .running > li, .attention > li, .choices > *");
const chosenItem = () => items().find((item) => item.classList.contains("chosen"));

function step(by) {
  const list = items();
  if (!list.length) return;
  const at = list.findIndex((item) => item.classList.contains("chosen"));
  list[at]?.classList.remove("chosen");
  const next = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + by))];
  next.classList.add("chosen");
  find("th a, a:not(.opener)", next)?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function mark() {
  const row = chosenItem();
  if (!row?.dataset.run) return;
  const at = marked.indexOf(row.dataset.run);
  if (at >= 0) marked.splice(at, 1); else marked.push(row.dataset.run);
  row.classList.toggle("marked", at < 0);
  if (marked.length > 2) rowOf(marked.shift())?.classList.remove("marked");
}

const runPath = (id) => `/runs/${encodeURIComponent(id)}`;

function compareMarked() {
  if (marked.length === 2) location.assign(`${runPath(marked[0])}?tab=compare&with=${encodeURIComponent(marked[1])}`);
  else if (find("#run-head")) location.assign(`${location.pathname}?tab=compare`);
}

// Which runs were listed, so that `[` and `]` go through them.
if (runsTable()) sessionStorage.setItem("list", JSON.stringify([location.search, all("tr[data-run]", runsTable()).map((row) => row.dataset.run)]));

function neighbour(by) {
  const [, ids] = JSON.parse(sessionStorage.getItem("list") ?? "[0,[]]");
  const at = ids.indexOf(find("#run-head")?.dataset.run);
  if (at >= 0 && ids[at + by]) location.assign(runPath(ids[at + by]) + location.search);
}

function up() {
  const dialog = find("#keys");
  if (dialog.open) return dialog.close();
  if (!find("#run-head")) return document.activeElement?.blur();
  const [search] = JSON.parse(sessionStorage.getItem("list") ?? '[""]');
  location.assign(`/runs${search}`);
}

function help() {
  const dialog = find("#keys");
  const rows = (list) => list.map(([keys, what]) =>
    element("tr", {}, element("th", { scope: "row", text: keys }), element("td", { text: what })));
  const off = element("input", { type: "checkbox" });
  off.checked = !isOff();
  off.addEventListener("change", () => memory.set("keys", off.checked ? "on" : "off"));
  const close = element("button", { text: "Close" });
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(
    element("h2", { id: "keys-title", text: "Keys" }),
    element("table", {}, element("tbody", {}, ...rows(HELP), ...(find("#waterfall") ? rows(HELP_WATERFALL) : []))),
    element("p", {}, element("label", {}, off, " Single letters are keys")),
    close,
  );
  dialog.showModal();
}

const KEYS = {
  j: () => step(1), k: () => step(-1), u: up, "/": () => find("#search").focus(), "?": help,
  g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); }, p: pause,
  n: () => pill && !pill.hidden && pill.click(), x: mark, c: compareMarked,
  y: () => navigator.clipboard?.writeText(location.href), "[": () => neighbour(-1), "]": () => neighbour(1),
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, [contenteditable]");
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (isTyping) return event.target.blur();
    return up();
  }
  if (isTyping || (isOff() && event.key !== "?")) return;
  if (isGoing && PAGES[event.key]) { isGoing = false; return location.assign(PAGES[event.key]); }
  const action = KEYS[event.key];
  if (action) { event.preventDefault(); action(); }
});
find("#help").hidden = false;
find("#help").addEventListener("click", help);
