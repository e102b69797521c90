// daebus.js against a service with a gateway, at the address in DAEBUS_GATEWAY. tests/tests/services/gateway_node.rs starts both.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { DaebusError, connect } from "../daebus.js";
import { WebSocket, address } from "./socket.mjs";

const open = [];
const connected = (options = {}) => {
  const bus = connect(address, { WebSocket, minDelay: 20, ...options });
  open.push(bus);
  return bus;
};
const event = (bus, type, wanted = () => true) =>
  new Promise((resolve) => {
    const listener = (found) => {
      if (!wanted(found)) return;
      bus.removeEventListener(type, listener);
      resolve(found);
    };
    bus.addEventListener(type, listener);
  });
/** A handler that keeps messages, and the next of them. */
function messages() {
  const kept = [];
  const waiting = [];
  const handler = (...message) => (waiting.length > 0 ? waiting.shift()(message) : kept.push(message));
  handler.next = () => (kept.length > 0 ? Promise.resolve(kept.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return handler;
}
const failsWith = (promise, code) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof DaebusError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });

after(() => open.forEach((bus) => bus.close()));

test("a call is answered, also one that is made before the connection is open", async () => {
  const bus = connected();
  assert.equal(bus.state, "connecting");
  assert.equal(await bus.call("svc", "add", [1, 2]), 3);
  assert.equal(bus.state, "open");
  const sums = await Promise.all(Array.from({ length: 20 }, (_, n) => bus.call("svc", "add", [n, n])));
  assert.deepEqual(sums, Array.from({ length: 20 }, (_, n) => 2 * n));
});

test("a call reports the service's error and the gateway's", async () => {
  const bus = connected();
  await assert.rejects(bus.call("svc", "fail", {}), { name: "DaebusError", code: "not_found", message: "user 7 not found" });
  await failsWith(bus.call("svc", "add", "one"), "invalid_payload");
  await failsWith(bus.call("svc", "secret"), "not_allowed");
  await failsWith(bus.call("nobody", "add"), "no_service");
  await failsWith(bus.call("svc", "hang", {}, { timeout: 50 }), "deadline_exceeded");
});

test("a call has progress", async () => {
  const bus = connected();
  const seen = [];
  assert.equal(await bus.call("svc", "count", {}, { onProgress: (n) => seen.push(n) }), "done");
  assert.deepEqual(seen, [1, 2, 3]);
});

test("messages reach the handlers of their channel until these are removed", async () => {
  const bus = connected();
  const [news, again, sensors] = [messages(), messages(), messages()];
  const off = bus.on("news", news);
  const offAgain = bus.on("news", again);
  await Promise.all([off.ready, bus.on("sensor.*", sensors).ready]);
  await bus.call("svc", "publish", ["news", { n: 1 }]);
  assert.deepEqual(await news.next(), [{ n: 1 }, "news"]);
  assert.deepEqual(await again.next(), [{ n: 1 }, "news"]);
  await bus.call("svc", "publish", ["sensor.a", 5]);
  assert.deepEqual(await sensors.next(), [5, "sensor.a"]);
  off();
  off();
  await bus.call("svc", "publish", ["news", 2]);
  assert.deepEqual(await again.next(), [2, "news"]);
  offAgain();
  // Answered by the service after the end of the subscription.
  await bus.call("svc", "publish", ["news", 3]);
  await bus.on("news", news).ready;
  await bus.call("svc", "publish", ["news", 4]);
  assert.deepEqual(await news.next(), [4, "news"]);
});

test("a refused subscription is reported", async () => {
  const bus = connected();
  const reported = event(bus, "error");
  const off = bus.on("secret", () => assert.fail("a message"));
  await failsWith(off.ready, "not_allowed");
  assert.equal((await reported).error.code, "not_allowed");
});

test("a broadcast is published", async () => {
  const bus = connected();
  const chat = messages();
  await bus.on("chat", chat).ready;
  assert.equal(await bus.send("chat", { text: "hello" }), 1);
  assert.deepEqual(await chat.next(), [{ text: "hello" }, "chat"]);
  await failsWith(bus.send("news", 1), "not_allowed");
  await failsWith(bus.send("chat", { action: "add" }), "invalid_payload");
});

test("a lost connection is restored, with its subscriptions", async () => {
  const bus = connected();
  const news = messages();
  await bus.on("news", news).ready;
  const states = [];
  bus.addEventListener("state", ({ state }) => states.push(state));
  const hanging = failsWith(bus.call("svc", "hang"), "connection_lost");
  const [away, back] = [event(bus, "state", ({ state }) => state === "away"), event(bus, "state", ({ state }) => state === "open")];
  // Disconnects all clients, this one too; the answer may be lost.
  bus.call("svc", "disconnect_all").catch(() => {});
  await away;
  await hanging;
  const late = bus.call("svc", "add", [2, 2]);
  await back;
  assert.equal(await late, 4);
  assert.deepEqual(states, ["away", "connecting", "open"]);
  await bus.call("svc", "publish", ["news", "again"]);
  assert.deepEqual(await news.next(), ["again", "news"]);
});

test("a closed connection stays closed", async () => {
  const bus = connected();
  await bus.call("svc", "add", [1, 1]);
  const hanging = failsWith(bus.call("svc", "hang"), "closed");
  bus.close();
  await hanging;
  assert.equal(bus.state, "closed");
  await failsWith(bus.call("svc", "add", [1, 1]), "closed");
});

test("calls fail in time where there is no service", async () => {
  const bus = connect("ws://127.0.0.1:1/ws", { WebSocket, minDelay: 20, maxDelay: 50 });
  open.push(bus);
  await failsWith(bus.call("svc", "add", [1, 1], { timeout: 100 }), "not_connected");
});
