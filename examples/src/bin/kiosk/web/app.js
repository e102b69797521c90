import { connect } from "/_service/daebus.js";

// The plot shows the last minute. The greenhouse measures twice per second; after 2.5 s without a reading the page is not live.
const SHOWN_MS = 60_000;
const STALE_MS = 2_500;
const CALL_MS = 2_000;
const HINT = "It warms the room, slowly.";

const $ = (id) => document.getElementById(id);
const bus = connect("/ws", { maxDelay: 2_000 });
let readings = [];
let lastArrival = -Infinity;
let lastTime = null;
let lamp = null;
let isSwitching = false;
let isRefreshing = false;

bus.addEventListener("state", ({ state }) => {
  if (state !== "open") lastArrival = -Infinity;
  render();
});
bus.on("greenhouse.reading", (reading) => {
  // After a gap the lamp may have been switched, or the greenhouse restarted.
  if (!isFresh()) {
    lamp = null;
    refresh();
  }
  readings = [...readings, reading];
  arrived();
});
bus.on("greenhouse.lamp", ({ lamp: isOn }) => {
  lamp = isOn;
  render();
});
$("switch").addEventListener("click", switchLamp);
// Without readings nothing else would show that they are missing.
setInterval(render, 250);
setInterval(() => bus.state === "open" && (!isFresh() || lamp === null) && refresh(), 2_000);

async function refresh() {
  if (isRefreshing) return;
  isRefreshing = true;
  try {
    const state = await bus.call("greenhouse", "get_state", {}, { timeout: CALL_MS });
    readings = state.readings;
    lamp = state.lamp;
    render();
  } catch (error) {
    console.info("the state of the greenhouse is not available:", error.message);
  } finally {
    isRefreshing = false;
  }
}

async function switchLamp() {
  isSwitching = true;
  say("Switching …");
  render();
  try {
    lamp = (await bus.call("greenhouse", "switch_lamp", {}, { timeout: CALL_MS })).lamp;
    say(HINT);
  } catch (error) {
    const isUncertain = ["timeout", "deadline_exceeded", "connection_lost"].includes(error.code);
    say(isUncertain ? "No answer: the lamp may not have been switched." : `Not switched: ${error.message}.`, true);
  } finally {
    isSwitching = false;
    render();
  }
}

function say(text, isError = false) {
  $("message").textContent = text;
  $("message").classList.toggle("failed", isError);
}

function arrived() {
  lastArrival = performance.now();
  lastTime = new Date();
  render();
}

function isFresh() {
  return performance.now() - lastArrival < STALE_MS;
}

function render() {
  const state = bus.state === "open" ? (isFresh() ? "live" : lastTime ? "stale" : "connecting") : bus.state;
  const since = lastTime?.toLocaleTimeString("en-GB");
  const words = {
    live: "live",
    stale: `no data since ${since}`,
    connecting: bus.state === "open" ? "waiting for data" : "connecting",
    away: "kiosk is away",
    closed: "closed",
  };
  document.body.dataset.state = state;
  if ($("state").textContent !== words[state]) $("state").textContent = words[state];
  const shown = state === "live" && lamp !== null ? (lamp ? "on" : "off") : "unknown";
  document.body.dataset.lamp = shown;
  $("lamp").textContent = shown;
  $("switch").textContent = { on: "Switch it off", off: "Switch it on", unknown: "Switch it" }[shown];
  $("switch").disabled = bus.state !== "open" || isSwitching;
  draw();
}

function draw() {
  if (readings.length === 0) return;
  const last = readings[readings.length - 1];
  $("count").textContent = last.number.toLocaleString("en-GB");
  $("value").textContent = last.celsius.toFixed(2);
  const end = last.at;
  readings = readings.filter(({ at }) => end - at <= SHOWN_MS && at <= end);

  const values = readings.map(({ celsius }) => celsius);
  // At least one degree high, so that noise doesn't look like a storm.
  const middle = (Math.max(...values) + Math.min(...values)) / 2;
  const half = Math.max((Math.max(...values) - Math.min(...values)) * 0.6, 0.5);
  const x = (at) => (600 - ((end - at) / SHOWN_MS) * 600).toFixed(1);
  const y = (celsius) => (90 - ((celsius - middle) / half) * 89).toFixed(1);
  // Where readings are missing, the line has a gap.
  const runs = [];
  readings.forEach((reading, i) => {
    if (i === 0 || reading.at - readings[i - 1].at > STALE_MS) runs.push([]);
    runs[runs.length - 1].push(reading);
  });
  const line = (run) => "M" + run.map(({ at, celsius }) => `${x(at)} ${y(celsius)}`).join("L");
  $("line").setAttribute("d", runs.map(line).join(""));
  $("area").setAttribute("d", runs.map((run) => `${line(run)}L${x(run[run.length - 1].at)} 180L${x(run[0].at)} 180Z`).join(""));
  [middle + half, middle, middle - half].forEach((value, i) => {
    $("degrees").children[i].textContent = `${value.toFixed(1)}°`;
  });

  // A tick at each full quarter of a minute, or at each half where the labels would overlap.
  const step = $("times").clientWidth < $("times").offsetHeight * 32 ? 30_000 : 15_000;
  const ticks = [];
  for (let at = Math.ceil((end - SHOWN_MS) / step) * step; at <= end; at += step) ticks.push(at);
  $("ticks").setAttribute("d", ticks.map((at) => `M${x(at)} 0V180`).join(""));
  $("times").replaceChildren(...ticks.map((at) => {
    const label = document.createElement("span");
    label.textContent = new Date(at).toLocaleTimeString("en-GB");
    // The labels at the ends stay within the plot.
    const place = (1 - (end - at) / SHOWN_MS) * 100;
    label.style.left = `${place}%`;
    label.style.visibility = place < 10 || place > 94 ? "hidden" : "visible";
    return label;
  }));
}
