"use strict";

// How many readings the plot shows, and how long to wait before connecting again: longer each time, to a bound.
const KEPT = 120;
const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;

const $ = (id) => document.getElementById(id);
let socket = null;
let readings = [];
let count = 0;
let wait = FIRST_WAIT;

async function connect() {
  show("connecting");
  try {
    // The WebSockets may have a port of their own, and another one after each start.
    const { port } = await (await fetch("/api/socket", { cache: "no-store" })).json();
    const url = new URL("/ws", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (port !== null) url.port = port;
    socket = new WebSocket(url);
    socket.onmessage = (event) => hear(JSON.parse(event.data));
    socket.onclose = again;
  } catch {
    again();
  }
}

function again() {
  socket = null;
  show("away");
  // Not all pages at the same moment, when a service comes back that many of them wait for.
  setTimeout(connect, wait * (0.75 + Math.random() / 2));
  wait = Math.min(wait * 2, LONGEST_WAIT);
}

function hear(frame) {
  if (frame.type === "reading") {
    readings = [...readings, frame.data].slice(-KEPT);
    count += 1;
    draw();
  } else if (frame.type === "lamp") {
    showLamp(frame.data.lamp);
  } else if (frame.type === "response" && frame.data.readings) {
    // The welcome: what the page missed, or all there is.
    wait = FIRST_WAIT;
    readings = frame.data.readings;
    count = readings.length;
    showLamp(frame.data.lamp);
    show("live");
    draw();
  } else if (frame.type === "response" && frame.request_id === "switch") {
    showLamp(frame.data.lamp);
    $("switch").disabled = false;
  } else if (frame.type === "error") {
    console.warn("the service says", frame);
    $("switch").disabled = false;
  }
}

function show(connection) {
  document.body.dataset.connection = connection;
  $("connection").textContent = { connecting: "connecting", live: "live", away: "service is away" }[connection];
  $("switch").disabled = connection !== "live";
}

function showLamp(on) {
  document.body.dataset.lamp = on ? "on" : "off";
  $("lamp").textContent = on ? "on" : "off";
  $("switch").textContent = on ? "Switch it off" : "Switch it on";
}

function draw() {
  $("count").textContent = count;
  if (readings.length === 0) return;
  $("value").textContent = readings[readings.length - 1].celsius.toFixed(2);
  const values = readings.map((reading) => reading.celsius);
  // At least one degree high, so that little looks like little.
  const middle = (Math.max(...values) + Math.min(...values)) / 2;
  const half = Math.max((Math.max(...values) - Math.min(...values)) / 2, 0.5);
  $("highest").textContent = (middle + half).toFixed(1) + " °C";
  $("lowest").textContent = (middle - half).toFixed(1) + " °C";
  const x = (i) => 600 - (readings.length - 1 - i) * (600 / (KEPT - 1));
  const y = (value) => 90 - ((value - middle) / half) * 72;
  const points = values.map((value, i) => x(i).toFixed(1) + " " + y(value).toFixed(1));
  const line = "M" + points.join("L");
  $("line").setAttribute("d", line);
  $("area").setAttribute("d", line + "L600 180L" + x(0).toFixed(1) + " 180Z");
}

$("switch").addEventListener("click", () => {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return;
  $("switch").disabled = true;
  socket.send(JSON.stringify({ type: "switch_lamp", data: {}, request_id: "switch" }));
});

connect();
