/** The two servers of a comparison: redis-server, and ours. Loopback and unix sockets alone. */

import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { Peer } from "./peer.ts";

export const PASSWORD = "secret";

/** Why nothing can be compared here; undefined where it can. */
export const whyNot =
  Bun.which("redis-server") === null
    ? "redis-server is missing, so replies are not compared with those of Redis: " +
      "apt-get install redis-server, or brew install redis"
    : undefined;

export interface Servers {
  readonly redis: Peer;
  readonly ours: Peer;
  /** The ports of both on the loopback interface. */
  readonly ports: { readonly redis: number; readonly ours: number };
  stop(): Promise<void>;
}

/** Starts both, empty, with a password or without. */
export async function startServers(password?: string): Promise<Servers> {
  const env = password === undefined ? {} : { NUMBER_DISPENSER_REQUIREPASS: password };
  const [redis, ours] = await Promise.all([startRedis(password), ServerProcess.start({ env })]);
  const peers = {
    redis: new Peer({ unix: redis.path }),
    ours: new Peer({ hostname: "127.0.0.1", port: ours.port }),
  };
  return {
    ...peers,
    ports: { redis: redis.port, ours: ours.port },
    stop: async () => {
      peers.redis.close();
      peers.ours.close();
      redis.child.kill("SIGKILL");
      await Promise.all([redis.child.exited, ours.end("SIGKILL")]);
    },
  };
}

async function startRedis(password?: string) {
  const folder = temporaryFolder();
  const path = join(folder, "socket");
  const port = freePort();
  const settings = {
    bind: "127.0.0.1",
    port: String(port),
    unixsocket: path,
    dir: folder,
    databases: "1",
    save: "",
    appendonly: "no",
    "enable-debug-command": "no",
    daemonize: "no",
    ...(password === undefined ? {} : { requirepass: password }),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  // A stream out of step makes the second word of CONFIG SET a command, which is none here.
  args.push("--rename-command", "SET", "");
  const child = Bun.spawn(["redis-server", ...args], { stdin: "ignore", stdout: "pipe" });
  let log = "";
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  while (!log.includes("ready to accept connections")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`redis-server ended at its start:\n${log}`);
    log += decoder.decode(value, { stream: true });
  }
  return { child, path, port };
}
