/** The servers that are measured, as processes of their own on free ports. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../testkit/ports.ts";
import { fromSource, root } from "../../testkit/process.ts";
import { TestClient } from "../../testkit/resp.ts";

const ANSWER_ATTEMPTS_MAX = 200;
const ANSWER_EVERY_MS = 20;

/** A server under load. */
export interface Target {
  readonly port: number;
  readonly pid: number;
}

export class RunningServer implements Target {
  readonly port: number;
  private readonly child: Bun.Subprocess;

  /** Starts a program that listens on the port; does not wait for it. */
  constructor(command: readonly string[], port: number) {
    this.port = port;
    this.child = Bun.spawn([...command], { cwd: root, stdout: "ignore", stderr: "ignore" });
  }

  static async start(command: readonly string[], port: number): Promise<RunningServer> {
    const server = new RunningServer(command, port);
    (await answering(port)).close();
    return server;
  }

  get pid(): number {
    return this.child.pid;
  }

  async end(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    this.child.kill(signal);
    await this.child.exited;
  }
}

/** The command that runs Number Dispenser by this program, on a port. */
export function ourCommand(program: readonly string[], port: number, dataDir: string): string[] {
  return [...program, "-addr", `127.0.0.1:${port}`, "-data", dataDir];
}

export function startOurs(program: readonly string[], dataDir: string): Promise<RunningServer> {
  const port = freePort();
  return RunningServer.start(ourCommand(program, port, dataDir), port);
}

export const alwaysSyncing = ["--appendonly", "yes", "--appendfsync", "always"];

/** The command that runs redis-server; only the flags make it write to the disk. */
export function redisCommand(port: number, dir: string, flags: readonly string[] = []): string[] {
  mkdirSync(dir, { recursive: true });
  return ["redis-server", "--port", `${port}`, "--dir", dir, "--save", "", ...flags];
}

export function startRedis(dir: string, flags: readonly string[] = []): Promise<RunningServer> {
  const port = freePort();
  return RunningServer.start(redisCommand(port, dir, flags), port);
}

/** Builds the program as a binary in this folder. Answers the command that runs it. */
export function buildBinary(folder: string): readonly string[] {
  const binary = join(folder, "number-dispenser");
  const build = Bun.spawnSync([process.execPath, "run", "build", "--outfile", binary], {
    cwd: root,
  });
  if (!build.success) throw new Error(`bun run build failed:\n${build.stderr}`);
  return [binary];
}

export { freePort, fromSource };

/** Waits until a server answers on the port. Answers a client of it. */
export async function answering(port: number): Promise<TestClient> {
  for (let attempt = 0; attempt < ANSWER_ATTEMPTS_MAX; attempt++) {
    try {
      return await TestClient.connect(port);
    } catch {
      await Bun.sleep(ANSWER_EVERY_MS);
    }
  }
  throw new Error(`nothing answers on port ${port}`);
}
