// The class of sockets: the global one, else that of the package `ws`.
import { createRequire } from "node:module";

export const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)("ws");
export const address = process.env.DAEBUS_GATEWAY;
