// What all pages share: fetching a part of a page, changing what is shown to what it should be,
// and numbers as words. The files of this folder are served as one script, in one scope.
"use strict";

const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const main = find("#main");
const memory = {
  get(name) { try { return localStorage.getItem("telemetry." + name); } catch { return null; } },
  set(name, value) { try { localStorage.setItem("telemetry." + name, value); } catch { /* private */ } },
};

// The server escapes whatever an agent wrote; this is the one place where its markup comes in.
const trusted = window.trustedTypes
  ? trustedTypes.createPolicy("telemetry", { createHTML: (text) => text })
  : { createHTML: (text) => text };

function parse(text) {
  const template = document.createElement("template");
  template.innerHTML = trusted.createHTML(text);
  return template.content;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Fetches this page again, or a part of it; shows a bar under the header if that takes a while.
async function ask(parameters, path = location.pathname) {
  const url = new URL(path, location.origin);
  const given = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(parameters)) {
    given.delete(key);
    for (const one of [value].flat()) given.append(key, one);
  }
  url.search = given;
  const bar = setTimeout(() => { find("#progress").hidden = false; }, 400);
  try {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer;
  } finally {
    clearTimeout(bar);
    find("#progress").hidden = true;
  }
}

const askPart = async (parameters) => parse(await (await ask(parameters)).text());

// Changes `old` until it is like `fresh`, and nothing that is alike already: focus, selection,
// scroll positions and opened folds survive.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) { old.data = fresh.data; flash(old.parentElement); }
    return;
  }
  if (old.matches("input, select, textarea, canvas, #wf-body")) return;
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !["open", "style", "class"].includes(name)) old.removeAttribute(name);
  }
  morphChildren(old, fresh);
}

const keyOf = (node) => node.nodeType === Node.ELEMENT_NODE
  ? node.dataset?.key ?? node.dataset?.run ?? node.dataset?.keep ?? (node.id || null) : null;

function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) { const key = keyOf(child); if (key !== null) keyed.set(key, child); }
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    let match = key !== null ? keyed.get(key) : null;
    // What has no key is taken for the next of its kind, whatever is in between.
    for (let node = place; key === null && node && !match; node = node.nextSibling) {
      if (node.nodeName === wanted.nodeName && keyOf(node) === null) match = node;
    }
    if (!match) { old.insertBefore(wanted, place); continue; }
    if (match === place) place = place.nextSibling; else old.insertBefore(match, place);
    morph(match, wanted);
  }
  while (place) { const next = place.nextSibling; place.remove(); place = next; }
}

const flashed = new WeakMap();
function flash(where) {
  const row = where?.closest("tr, li");
  const now = performance.now();
  if (!row || now - (flashed.get(row) ?? -1000) < 1000) return;
  flashed.set(row, now);
  row.classList.add("changed");
  row.addEventListener("animationend", () => row.classList.remove("changed"), { once: true });
}

function duration(ms) {
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000), minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${String(seconds % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// Times that go on: each second, only while something runs and somebody looks.
function tick() {
  if (document.hidden) return;
  for (const one of all("[data-since]")) {
    const since = Date.parse(one.dataset.since);
    if (since) one.textContent = (one.dataset.prefix ?? "") + duration(Math.max(0, Date.now() - since));
  }
}
let ticking = null;
function tickIfNeeded() {
  const isNeeded = !document.hidden && find("[data-since]");
  if (isNeeded && !ticking) ticking = setInterval(tick, 1000);
  if (!isNeeded && ticking) { clearInterval(ticking); ticking = null; }
}

// At once, then at most once each `pause()` milliseconds, with all that came meanwhile.
function throttled(work, pause) {
  let waiting = false, again = false;
  const run = async () => {
    waiting = true;
    again = false;
    const began = performance.now();
    let least = 0;
    try {
      await work();
    } catch {
      // The server is gone or busy, which the stream's state says if it lasts.
      again = true;
      least = 1000;
    }
    setTimeout(() => { waiting = false; if (again) run(); }, Math.max(least, pause() - (performance.now() - began)));
  };
  return () => { if (waiting) again = true; else run(); };
}
