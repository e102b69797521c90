// The client of Daebus' gateway for browsers and Node: calls, subscriptions and broadcasts over one WebSocket.
//
//   import { connect } from "/_service/daebus.js";
//   const bus = connect();
//   const status = await bus.call("my_service", "get_status", { detail: "full" });
//   const off = bus.on("sensor.*", (reading, channel) => console.log(channel, reading));
//   await bus.send("chat", { text: "hello" });
//
// The connection is restored by itself, and so are the subscriptions. The types are in daebus.d.ts.

// How much longer than the service to wait: its report says more than that there is no answer.
const GRACE = 250;

// A longer timer ends at once.
const LONGEST_TIMER = 2 ** 31 - 1;

/** An error of a call, a subscription or a broadcast. */
export class DaebusError extends Error {
  constructor(message, code, details) {
    super(message);
    this.name = "DaebusError";
    this.code = code;
    this.details = details;
  }
}

/** Connects to a gateway: by default to `/ws` of the page's own host. */
export function connect(url, options) {
  return new Connection(url, options);
}

class StateEvent extends Event {
  constructor(state) {
    super("state");
    this.state = state;
  }
}

class ErrorEvent extends Event {
  constructor(error) {
    super("error");
    this.error = error;
  }
}

/** A connection is "connecting", "open", "away" (it waits before the next attempt) or "closed". */
export class Connection extends EventTarget {
  #url;
  #options;
  #socket = null;
  #state = "connecting";
  #retry = null;
  #failures = 0;
  #openedAt = 0;
  #lastId = 0;
  #calls = new Map();
  #waiting = new Set();
  #topics = new Map();

  constructor(url, options = {}) {
    super();
    this.#url = url ?? "/ws";
    this.#options = { timeout: 10_000, minDelay: 250, maxDelay: 10_000, ...options };
    this.#open();
  }

  get state() {
    return this.#state;
  }

  /** Calls an action and returns a promise of its answer. */
  call(service, action, payload = {}, { timeout = this.#options.timeout, onProgress } = {}) {
    const data = { action, payload };
    return this.#request({ type: "publish", channel: service, data }, { timeout, onProgress });
  }

  /** Publishes a message on a channel. The promise is resolved when the bus has it. */
  async send(channel, data, { timeout = this.#options.timeout } = {}) {
    const { receivers } = await this.#request({ type: "broadcast", channel, data }, { timeout });
    return receivers;
  }

  /** Calls `handler(data, channel)` for each message, until the returned function is called. */
  on(channel, handler) {
    let topic = this.#topics.get(channel);
    if (topic === undefined) {
      topic = { handlers: new Set(), ready: null, settle: null };
      this.#topics.set(channel, topic);
      topic.ready = new Promise((resolve, reject) => (topic.settle = { resolve, reject }));
      // An error is reported by the event `error` too, so that nobody has to await `ready`.
      topic.ready.catch(() => {});
      if (this.#state === "open") this.#subscribe(channel, topic);
    }
    // The same function may be given twice.
    const entry = { handler };
    topic.handlers.add(entry);
    const off = () => {
      if (!topic.handlers.delete(entry) || topic.handlers.size > 0) return;
      this.#topics.delete(channel);
      if (this.#state === "open") this.#write({ type: "unsubscribe", channel });
    };
    off.ready = topic.ready;
    return off;
  }

  /** Closes the connection for good. */
  close() {
    if (this.#state === "closed") return;
    clearTimeout(this.#retry);
    this.#setState("closed");
    this.#failAll(new DaebusError("the connection is closed", "closed"));
    this.#socket?.close(1000);
    this.#socket = null;
  }

  #open() {
    this.#setState("connecting");
    if (this.#state !== "connecting") return;
    let socket;
    try {
      const { protocols, WebSocket = globalThis.WebSocket } = this.#options;
      socket = new WebSocket(address(this.#url), protocols ?? []);
    } catch (error) {
      // An address that can't be one stays wrong.
      this.close();
      throw error;
    }
    this.#socket = socket;
    const current = (act) => (event) => {
      if (this.#socket === socket) act(event);
    };
    socket.onopen = current(() => this.#opened());
    socket.onmessage = current(({ data }) => this.#received(data));
    socket.onclose = current(() => this.#lost());
    socket.onerror = () => {};
  }

  #opened() {
    this.#openedAt = Date.now();
    // A listener may subscribe, which is sent at once, or close the connection.
    const topics = [...this.#topics];
    this.#setState("open");
    if (this.#state !== "open") return;
    for (const [channel, topic] of topics) if (this.#topics.get(channel) === topic) this.#subscribe(channel, topic);
    for (const send of this.#waiting) send();
    this.#waiting.clear();
  }

  #lost() {
    this.#socket = null;
    // A service that accepts connections and closes them at once is not asked more and more often.
    if (this.#openedAt > 0 && Date.now() - this.#openedAt >= 5000) this.#failures = 0;
    this.#openedAt = 0;
    this.#setState("away");
    if (this.#state !== "away") return;
    const lost = new DaebusError("the connection was lost; the call may have run", "connection_lost");
    for (const call of [...this.#calls.values()]) call.fail(lost);
    const { minDelay, maxDelay } = this.#options;
    const delay = Math.min(maxDelay, minDelay * 2 ** Math.min(this.#failures++, 20));
    // Not all pages at the same moment.
    this.#retry = setTimeout(() => this.#open(), delay * (0.5 + Math.random() / 2));
  }

  #received(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame.type === "channel_message") {
      const topic = this.#topics.get(frame.pattern ?? frame.channel);
      for (const { handler } of [...(topic?.handlers ?? [])]) protect(() => handler(frame.data, frame.channel));
    } else if (frame.type === "server_shutdown" && frame.data?.reconnect === false) {
      this.close();
    } else {
      const call = frame.request_id === undefined ? undefined : this.#calls.get(frame.request_id);
      if (call === undefined) {
        if (frame.type === "error") this.#report(errorOf(frame));
        else if (frame.type !== "response" && frame.type !== "progress") this.#dispatch(frame);
      } else if (frame.type === "progress") {
        if (call.onProgress) protect(() => call.onProgress(frame.data));
      } else if (frame.type === "error" || frame.success === false) {
        call.fail(errorOf(frame));
      } else {
        call.succeed(frame.data);
      }
    }
  }

  /** Frames of the service's own handlers and pushes. */
  #dispatch(frame) {
    const event = new Event("message");
    event.frame = frame;
    this.dispatchEvent(event);
  }

  #request(frame, { timeout, onProgress }) {
    const id = `d${++this.#lastId}`;
    return new Promise((resolve, reject) => {
      // What can't be written as JSON fails here, and keeps no other call from being sent.
      JSON.stringify(frame);
      const deadline = Date.now() + timeout;
      let isSent = false;
      const send = () => {
        isSent = true;
        this.#write(frame.data?.action === undefined || frame.type !== "publish"
          ? { ...frame, request_id: id }
          : { ...frame, data: { ...frame.data, timeout_ms: left(deadline), request_id: id } });
      };
      const finish = (settle) => (outcome) => {
        clearTimeout(timer);
        this.#calls.delete(id);
        this.#waiting.delete(send);
        settle(outcome);
      };
      const fail = finish(reject);
      const timer = setTimeout(() => {
        fail(isSent
          ? new DaebusError(`no answer within ${timeout} ms`, "timeout")
          : new DaebusError("the service can't be reached; nothing was sent", "not_connected"));
      }, Math.min(timeout + GRACE, LONGEST_TIMER));
      if (this.#state === "closed") {
        fail(new DaebusError("the connection is closed", "closed"));
        return;
      }
      // Calls that wait for the connection don't fail when an attempt to connect does.
      const call = { succeed: finish(resolve), fail: (error) => isSent || error.code === "closed" ? fail(error) : undefined, onProgress };
      this.#calls.set(id, call);
      if (this.#state === "open") send();
      else this.#waiting.add(send);
    });
  }

  #subscribe(channel, topic) {
    const id = `d${++this.#lastId}`;
    const isCurrent = () => this.#topics.get(channel) === topic;
    this.#calls.set(id, {
      succeed: () => {
        this.#calls.delete(id);
        topic.settle.resolve();
      },
      fail: (error) => {
        this.#calls.delete(id);
        // After a lost connection it is subscribed again.
        if (error.code === "connection_lost") return;
        topic.settle.reject(error);
        if (isCurrent()) this.#report(error);
      },
    });
    this.#write({ type: "subscribe", channel, request_id: id });
  }

  #write(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  #failAll(error) {
    for (const call of [...this.#calls.values()]) call.fail(error);
    for (const topic of this.#topics.values()) topic.settle.reject(error);
    this.#waiting.clear();
  }

  #report(error) {
    this.dispatchEvent(new ErrorEvent(error));
  }

  #setState(state) {
    if (this.#state === state && state !== "connecting") return;
    this.#state = state;
    this.dispatchEvent(new StateEvent(state));
  }
}

/** A handler that throws must not keep the others from their message. */
function protect(run) {
  try {
    run();
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else console.error(error);
  }
}

/** The milliseconds until a deadline; undefined, which is left out of a frame, if there is none. */
function left(deadline) {
  return Number.isFinite(deadline) ? Math.max(1, Math.round(deadline - Date.now())) : undefined;
}

function errorOf(frame) {
  const { error, code, details } = typeof frame.error === "string" ? frame : frame.data ?? {};
  return new DaebusError(error ?? "unknown error", code, details);
}

function address(url) {
  const absolute = new URL(url, globalThis.location?.href);
  if (absolute.protocol === "http:") absolute.protocol = "ws:";
  if (absolute.protocol === "https:") absolute.protocol = "wss:";
  return absolute.href;
}
