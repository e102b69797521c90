// The TypeScript client of Python Daebus (`@daebus/client`), as far as its frames go: a client with the same rules for what it
// sends and for what it takes as an answer.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";

import { WebSocket, address } from "./socket.mjs";

class PythonClient extends EventEmitter {
  #pending = new Map();
  #channels = new Set();
  #count = 0;

  connect() {
    const isAgain = this.socket !== undefined;
    this.socket = new WebSocket(address);
    this.socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    this.socket.onclose = ({ code }) => code !== 1000 && setTimeout(() => this.connect(), 20);
    return new Promise((resolve) => {
      this.socket.onopen = () => {
        if (isAgain) for (const channel of this.#channels) this.#send({ type: "subscribe", channel });
        this.emit("connect");
        resolve();
      };
    });
  }

  sendAction(service, action, payload) {
    const id = `req_${Date.now()}_${++this.#count}`;
    const data = { action, payload, reply_channel: `reply_${id}`, request_id: id, timestamp: Date.now() };
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#send({ type: "publish", channel: service, data });
    });
  }

  subscribe(channel, handler) {
    this.#channels.add(channel);
    this.on(`channel:${channel}`, handler);
    this.#send({ type: "subscribe", channel });
  }

  unsubscribe(channel) {
    this.#channels.delete(channel);
    this.removeAllListeners(`channel:${channel}`);
    this.#send({ type: "unsubscribe", channel });
  }

  broadcast(channel, data) {
    this.#send({ type: "broadcast", channel, data });
  }

  #send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  // It looks at `type`, then for a channel with data, then at `request_id`; and a promise is rejected only by `success: false`
  // beside `error`, both at the top level.
  #take(frame) {
    if (frame.type === "response") this.#settle(frame);
    else if (frame.type === "channel_message" || (frame.channel && frame.data)) this.emit(`channel:${frame.channel}`, frame.data);
    else if (frame.request_id && this.#pending.has(frame.request_id)) this.#settle(frame);
    else this.emit("message", frame);
  }

  #settle({ request_id, success, error, data }) {
    const pending = this.#pending.get(request_id);
    this.#pending.delete(request_id);
    if (success === false) pending?.reject(new Error(error || "Unknown error"));
    else pending?.resolve(data);
  }
}

const once = (client, name) => new Promise((resolve) => client.once(name, resolve));

test("the TypeScript client of Python Daebus works", async () => {
  const client = new PythonClient();
  await client.connect();
  assert.equal(await client.sendAction("svc", "add", [1, 2]), 3);
  // Progress must not settle its promise.
  assert.equal(await client.sendAction("svc", "count", {}), "done");
  for (const [action, payload, words] of [
    ["fail", {}, /^user 7 not found$/],
    ["add", "one", /expected|invalid/],
    ["secret", {}, /^calls of svc.secret are not allowed here$/],
    ["missing", {}, /missing/],
  ]) {
    await assert.rejects(client.sendAction("svc", action, payload), { message: words });
  }
  await assert.rejects(client.sendAction("nobody", "add", {}), { message: 'no service "nobody" is on the bus' });

  const first = once(client, "channel:news");
  client.subscribe("news", () => {});
  // Frames of one client are handled in order, but the bus confirms a subscription later.
  let received;
  first.then((data) => (received = data));
  while (received === undefined) await client.sendAction("svc", "publish", ["news", { n: 1 }]);
  assert.deepEqual(received, { n: 1 });

  // Refused subscriptions and broadcasts are messages, and nothing on the channel.
  client.on("channel:secret", () => assert.fail("an error was taken for a message"));
  for (const refuse of [() => client.subscribe("secret", () => {}), () => client.broadcast("secret", { n: 1 })]) {
    const refused = once(client, "message");
    refuse();
    const frame = await refused;
    assert.deepEqual([frame.type, frame.channel, frame.code], ["error", "secret", "not_allowed"]);
  }

  const chat = once(client, "channel:chat");
  client.subscribe("chat", () => {});
  let said;
  chat.then((data) => (said = data));
  while (said === undefined) {
    client.broadcast("chat", { text: "hello" });
    await client.sendAction("svc", "add", [0, 0]);
  }
  assert.deepEqual(said, { text: "hello" });

  // It connects again by itself, and subscribes again.
  const back = once(client, "connect");
  client.sendAction("svc", "disconnect_all", {}).catch(() => {});
  await back;
  let again;
  once(client, "channel:news").then((data) => (again = data));
  while (again === undefined) await client.sendAction("svc", "publish", ["news", { n: 2 }]);
  assert.deepEqual(again, { n: 2 });
  client.unsubscribe("news");
  client.socket.close(1000);
});

test("a call above the rate limit is rejected with the service's words", async () => {
  const client = new PythonClient();
  await client.connect();
  // The limit of the service is 500 messages at once.
  const calls = await Promise.allSettled(Array.from({ length: 600 }, () => client.sendAction("svc", "nothing", {})));
  const limited = calls.filter(({ reason }) => reason?.message === "Rate limit exceeded");
  assert.equal(limited.length, 100);
  const [answered, other] = [calls.filter(({ status }) => status === "fulfilled"), calls.filter(({ reason }) => reason && reason.message !== "Rate limit exceeded")];
  assert.deepEqual([answered.length, other.length], [500, 0]);
  client.socket.close(1000);
});
