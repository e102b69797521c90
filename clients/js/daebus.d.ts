/** An error of a call, a subscription or a broadcast. */
export declare class DaebusError extends Error {
  constructor(message: string, code?: string, details?: unknown);
  /**
   * The service's code, a code of the gateway (`not_allowed`, `duplicate_request_id`, `too_many_calls`, `no_service`,
   * `unavailable`, …), or one of this module: `timeout`, `not_connected`, `connection_lost`, `closed`.
   */
  readonly code?: string;
  readonly details?: unknown;
}

export interface Options {
  /** How long a call may take, in milliseconds. Defaults to 10,000. */
  timeout?: number;
  /** The delay before the first attempt to connect again, in milliseconds. Doubles with each attempt. Defaults to 250. */
  minDelay?: number;
  /** The longest delay between two attempts, in milliseconds. Defaults to 10,000. */
  maxDelay?: number;
  /** Subprotocols to offer. */
  protocols?: string | string[];
  /** The class of sockets, for environments without a global `WebSocket`. */
  WebSocket?: new (url: string, protocols?: string | string[]) => unknown;
}

export interface CallOptions {
  /** How long the call may take, in milliseconds. The service receives it as the call's time budget. */
  timeout?: number;
  /** Receives the progress of the action. */
  onProgress?: (progress: any) => void;
}

/** Ends a subscription. */
export interface Off {
  (): void;
  /** Resolved when the service has confirmed the subscription for the first time, rejected if it refuses. */
  readonly ready: Promise<void>;
}

/** "away": the connection is lost, and the next attempt is made after a delay. "closed" is final. */
export type State = "connecting" | "open" | "away" | "closed";

export interface StateEvent extends Event {
  readonly state: State;
}

/** A subscription was refused, or a frame without a request ID failed. */
export interface BusErrorEvent extends Event {
  readonly error: DaebusError;
}

/** A frame that isn't the gateway's: what the service's own handlers answer and push. */
export interface FrameEvent extends Event {
  readonly frame: { type: string; data?: any; [field: string]: unknown };
}

export declare class Connection extends EventTarget {
  constructor(url?: string | URL, options?: Options);
  readonly state: State;
  /**
   * Calls an action. While there is no connection, the call waits for it, for at most its timeout.
   * @throws DaebusError
   */
  call<T = any>(service: string, action: string, payload?: unknown, options?: CallOptions): Promise<T>;
  /** Publishes a message. Resolved, with the number of receivers, when the bus has it. */
  send(channel: string, data: unknown, options?: { timeout?: number }): Promise<number>;
  /** Subscribes to a channel, or to a pattern that is literally in the service's allow-list. */
  on<T = any>(channel: string, handler: (data: T, channel: string) => void): Off;
  /** Closes the connection for good. Calls in flight are rejected with the code `closed`. */
  close(): void;
  addEventListener(type: "state", listener: (event: StateEvent) => void): void;
  addEventListener(type: "error", listener: (event: BusErrorEvent) => void): void;
  addEventListener(type: "message", listener: (event: FrameEvent) => void): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null): void;
}

/** Connects to a gateway: by default to `/ws` of the page's own host. */
export declare function connect(url?: string | URL, options?: Options): Connection;
