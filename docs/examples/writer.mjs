// Writes runs and events from Node, into a file of this process's own. No dependency, no lock.
// The rules are in "Writing events from other languages".
import { randomBytes } from "node:crypto";
import { mkdirSync, openSync, writeSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";

const base = process.env.TELEMETRY_BASE_DIR || join(homedir(), ".telemetry");
const raw = process.env.TELEMETRY_NDJSON_DIR || join(base, "raw");
const host = hostname().replace(/[^A-Za-z0-9.-]+/g, "_") || "localhost";

// Microseconds since 1970, each above the last: events of one millisecond keep their order.
const begun = BigInt(Date.now()) * 1000n - process.hrtime.bigint() / 1000n;
let last = 0n;
function tick() {
  const now = begun + process.hrtime.bigint() / 1000n;
  last = now > last ? now : last + 1n;
  return last;
}

function timeOf(micros) {
  const second = new Date(Number(micros / 1000000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(micros % 1000000n).padStart(6, "0")}Z`;
}

// A UUIDv7: milliseconds, then the microsecond within it, then random bits.
function idOf(micros) {
  const millis = (micros / 1000n).toString(16).padStart(12, "0");
  const part = (Number(micros % 1000n) << 2).toString(16).padStart(3, "0");
  const random = randomBytes(8);
  random[0] = (random[0] & 0x3f) | 0x80;
  const rest = random.toString("hex");
  return `${millis.slice(0, 8)}-${millis.slice(8)}-7${part}-${rest.slice(0, 4)}-${rest.slice(4)}`;
}

let file = { day: "", fd: -1 };
function write(type, run, data) {
  try {
    const micros = tick();
    const time = timeOf(micros);
    const day = time.slice(0, 10).replaceAll("-", "");
    if (file.day !== day) {
      mkdirSync(raw, { recursive: true, mode: 0o700 });
      const path = join(raw, `events_${day}.${host}-${process.pid}.ndjson`);
      file = { day, fd: openSync(path, "a", 0o600) };
    }
    const source = `${host}/${process.pid}`;
    const event = { specversion: "1.0", id: idOf(micros), source, type, subject: run, time, data };
    // The newline before it: whatever was cut short there, this is a line of its own.
    writeSync(file.fd, `\n${JSON.stringify(event)}\n`);
  } catch {
    // What cannot be recorded must not stop the program.
  }
}

export function startRun(agent, job, fields = {}) {
  const stamp = timeOf(tick()).slice(0, 19).replace(/[-:]/g, "");
  const run = `${stamp}Z-${agent.replace(/[^A-Za-z0-9._-]+/g, "_")}-${randomBytes(12).toString("hex")}`;
  const data = { agent_name: agent, job_type: job, trigger_type: "cli", host, ...fields };
  write("run.started", run, data);
  return run;
}

export function logEvent(run, eventType, payload = null) {
  write("run.event", run, { event_type: eventType, payload });
}

export function setFields(run, fields) {
  write("run.updated", run, fields);
}

export function endRun(run, status = "success", fields = {}) {
  write("run.ended", run, { status, ...fields });
}
