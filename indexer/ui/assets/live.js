// One stream of changes per browser: the visible tab that holds the lock has it open and passes
// on what it hears. Hidden tabs hear nothing, and catch up when they are shown.

const live = {
  button: find("#live"),
  position: document.documentElement.dataset.position,
  paused: false, missed: 0, isStale: false, isAsleep: false, link: "reconnecting", since: null,
  hooks: [],
};
const channel = "BroadcastChannel" in window ? new BroadcastChannel("telemetry") : null;
let stream = null, release = null, asking = null;

function showState() {
  const clock = (time) => time.toTimeString().slice(0, 8);
  const state = live.paused ? "paused" : live.link !== "live" ? "reconnecting" : live.isAsleep ? "asleep" : "live";
  const words = {
    paused: live.missed ? `paused (${live.missed} changes)` : "paused",
    reconnecting: live.since ? `reconnecting (since ${clock(live.since)})` : "connecting",
    asleep: "indexer not running", live: "live",
  };
  live.button.hidden = false;
  live.button.dataset.state = state;
  live.button.title = state === "asleep" ? "telemetry index --watch keeps this page live" : "p pauses and goes on";
  const label = find(".live-words", live.button);
  if (label.textContent !== words[state]) label.textContent = words[state];
}

function setLink(link) {
  if (link === "live") live.since = null; else live.since ??= live.link === "live" ? new Date() : null;
  live.link = link;
  showState();
}

function hear(message) {
  if (message.position) live.position = message.position;
  if (message.kind === "link") return setLink(message.data);
  if (message.kind === "asleep") { live.isAsleep = message.data; return showState(); }
  if (live.paused || document.hidden) { live.isStale = true; live.missed += 1; return showState(); }
  update(message.kind === "many" ? null : message.data.map(([id]) => id));
}

function tell(message) {
  hear(message);
  channel?.postMessage(message);
}

function openStream() {
  stream = new EventSource(`/events?seen=${encodeURIComponent(live.position)}`);
  stream.onopen = () => tell({ kind: "link", data: "live" });
  stream.onerror = () => tell({ kind: "link", data: "reconnecting" });
  for (const kind of ["runs", "many", "asleep"]) {
    stream.addEventListener(kind, (event) =>
      tell({ kind, data: JSON.parse(event.data), position: event.lastEventId }));
  }
}

function joinStream() {
  channel?.postMessage({ kind: "hello", position: live.position });
  if (!navigator.locks) { if (!stream) openStream(); return; }
  if (asking) return;
  asking = new AbortController();
  navigator.locks.request("telemetry-stream", { signal: asking.signal }, () => new Promise((done) => {
    release = done;
    openStream();
  })).catch(() => { /* No longer wanted. */ });
}

function leaveStream() {
  asking?.abort();
  stream?.close();
  release?.();
  asking = stream = release = null;
}

if (channel) channel.onmessage = ({ data }) => {
  if (data.kind !== "hello") return hear(data);
  // Another tab was drawn before what this one heard last.
  if (stream && data.position !== live.position) channel.postMessage({ kind: "many", data: [], position: live.position });
  if (stream) channel.postMessage({ kind: "link", data: live.link });
};

// What a page does with changes: `changed` has the ids of runs, or is null for "anything".
const changes = { ids: new Set(), any: false };
let refresh = async () => morph(main, await asMain());

async function asMain() {
  const fresh = element("main");
  fresh.append(await askPart({ part: "main" }));
  for (const { name, value } of main.attributes) fresh.setAttribute(name, value);
  return fresh;
}

const refreshSoon = throttled(async () => {
  const ids = changes.any ? null : [...changes.ids];
  changes.ids.clear();
  changes.any = false;
  try {
    await refresh(ids);
  } catch (error) {
    // What changed meanwhile is not known any more: the next try looks at everything.
    changes.any = true;
    throw error;
  }
  tickIfNeeded();
}, () => (changes.any ? 1000 : 100));

function update(ids) {
  if (ids === null) changes.any = true; else for (const id of ids) changes.ids.add(id);
  refreshSoon();
}

function catchUp() {
  if (!live.isStale || live.paused) return;
  live.isStale = false;
  live.missed = 0;
  showState();
  update(null);
}

function pause() {
  live.paused = !live.paused;
  showState();
  catchUp();
}

live.button.addEventListener("click", pause);
document.addEventListener("visibilitychange", () => {
  tickIfNeeded();
  if (document.hidden) return leaveStream();
  live.isStale = true;
  joinStream();
  catchUp();
});
window.addEventListener("pagehide", leaveStream);
window.addEventListener("pageshow", (event) => { if (event.persisted) { live.isStale = true; joinStream(); catchUp(); } });
