// The page of queries: Ctrl+Enter, and queries saved in this browser.

const query = find("#query");
const saved = find("#saved");

function savedQueries() {
  try { return JSON.parse(memory.get("queries") ?? "[]"); } catch { return []; }
}

function showSaved() {
  for (const old of all("[data-own]", saved)) old.remove();
  for (const text of savedQueries()) {
    const link = element("a", { href: `/sql?q=${encodeURIComponent(text)}`, text: text.split("\n")[0].slice(0, 60) });
    const remove = element("button", { class: "plain-button", "aria-label": "Forget this query", text: "×" });
    remove.addEventListener("click", () => { memory.set("queries", JSON.stringify(savedQueries().filter((one) => one !== text))); showSaved(); });
    saved.append(element("li", { "data-own": "1" }, link, " ", remove));
  }
}

if (query) {
  // What was asked stays: a query is run when its author says so.
  refresh = async () => {};
  query.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); query.form.requestSubmit(); }
  });
  const save = find("#save-query");
  save.hidden = false;
  save.addEventListener("click", () => {
    const text = query.value.trim();
    if (text) memory.set("queries", JSON.stringify([text, ...savedQueries().filter((one) => one !== text)].slice(0, 50)));
    showSaved();
  });
  showSaved();
}
