# Writes runs and events from bash 5, into the file that all writers share. Needs flock.
# The rules are in "Writing events from other languages".
telemetry_raw="${TELEMETRY_NDJSON_DIR:-${TELEMETRY_BASE_DIR:-$HOME/.telemetry}/raw}"
telemetry_host=$(uname -n)

# telemetry_event TYPE RUN DATA: DATA is a JSON object on one line.
telemetry_event() {
  local type=$1 run=$2 data=$3 micros=${EPOCHREALTIME/[.,]/} time day id line
  TZ=UTC0 printf -v time '%(%Y-%m-%dT%H:%M:%S)T.%sZ' "${micros%??????}" "${micros: -6}"
  day=${time:0:10}
  day=${day//-/}
  # A UUIDv7: milliseconds, then the microsecond within it, then random bits.
  printf -v id '%012x' "${micros%???}"
  printf -v id '%s-%s-7%03x-%04x-%04x%04x%04x' "${id:0:8}" "${id:8}" \
    $((10#${micros: -3} << 2)) $((0x8000 | RANDOM & 0x3fff)) "$RANDOM" "$RANDOM" "$RANDOM"
  printf -v line '{"specversion":"1.0","id":"%s","source":"%s/%s","type":"%s","subject":"%s","time":"%s","data":%s}' \
    "$id" "$telemetry_host" "$$" "$type" "$run" "$time" "$data"
  (
    umask 077
    mkdir -p "$telemetry_raw" && exec 9>>"$telemetry_raw/.events.lock" && flock -w 1 9 || exit 0
    file="$telemetry_raw/events_$day.ndjson"
    # Somebody may have been killed in the middle of a line.
    if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then line=$'\n'$line; fi
    printf '%s\n' "$line" >>"$file"
  ) 2>/dev/null || true
}

# telemetry_start AGENT JOB: starts a run and prints its id.
telemetry_start() {
  local stamp run
  TZ=UTC0 printf -v stamp '%(%Y%m%dT%H%M%SZ)T' -1
  run="$stamp-$1-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
  telemetry_event run.started "$run" "{\"agent_name\":\"$1\",\"job_type\":\"$2\",\"trigger_type\":\"cli\",\"host\":\"$telemetry_host\"}"
  printf '%s\n' "$run"
}
