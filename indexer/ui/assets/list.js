// The list of runs: rows change in place; new runs wait in a pill unless nobody would notice.

// Asked for each time: the list of an empty base has no table, and gets one with its first run.
const runsTable = () => find("#runs-table");
const pill = find("#new-runs");
const fresh = new Set();

const rowOf = (id) => all("tr[data-run]", runsTable()).find((row) => row.dataset.run === id);

async function refreshRows(ids) {
  const table = runsTable();
  if (!table) return enter();
  const isAll = ids === null && table.dataset.top;
  const shown = all("tr[data-run]", table).map((row) => row.dataset.run);
  const asked = ids ?? shown;
  const part = isAll ? await asMain() : await askPart({ part: "rows", ids: asked.slice(0, 100) });
  if (isAll && isUnwatched()) return take(part);
  const rows = new Map(all("tr[data-run]", part).map((row) => [row.dataset.run, row]));
  const wanted = isAll ? [...rows.keys()] : asked;
  for (const id of wanted) {
    const old = rowOf(id), row = rows.get(id);
    if (old && row) {
      // What unfolds the children is not in the part.
      const opener = find(".opener", old);
      if (opener && !find(".opener", row)) find(".status", row).prepend(opener.cloneNode(true));
      if (old.classList.contains("inside")) row.classList.add("inside");
      morph(old, row);
    } else if (old && !old.classList.contains("inside")) old.classList.add("gone");
    else if (row) fresh.add(id);
  }
  if (fresh.size && table.dataset.top && isUnwatched()) {
    const page = await asMain();
    // Somebody may have begun to read meanwhile.
    if (isUnwatched()) return take(page);
  }
  showPill();
}

// At the top, with neither pointer nor focus in the table, new rows disturb nobody.
function isUnwatched() {
  const table = runsTable();
  return scrollY < 40 && !table?.matches(":hover") && !table?.contains(document.activeElement);
}

function showPill() {
  pill.hidden = !fresh.size;
  pill.textContent = fresh.size === 1 ? "1 new run" : `${fresh.size} new runs`;
}

const enter = async () => take(await asMain());

function take(page) {
  fresh.clear();
  morph(main, page);
  showPill();
}

if (pill) {
  refresh = refreshRows;
  pill.addEventListener("click", () => (runsTable()?.dataset.top ? enter() : location.assign("/runs")));
}

// Filters apply as soon as one is chosen, and leave nothing empty in the address.
for (const form of all("form.filters")) {
  form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
}
document.addEventListener("submit", (event) => {
  if (event.target.method === "get") {
    for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
    // Going back would find them disabled.
    setTimeout(() => { for (const field of event.target.elements) field.disabled = false; });
  }
});

// The choice of columns is remembered here; the address wins.
if (pill) {
  const given = new URLSearchParams(location.search);
  const chosen = given.getAll("cols").join(",");
  if (chosen) memory.set("columns", chosen);
  else if (memory.get("columns") && !given.has("cols")) {
    given.set("cols", memory.get("columns"));
    location.replace(`${location.pathname}?${given}`);
  }
}
