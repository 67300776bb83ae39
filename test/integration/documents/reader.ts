/** Who follows a document: types its commands, on a copy of this folder. */

import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { freePort } from "../../../testkit/ports.ts";
import { endOnExit, fromSource, root } from "../../../testkit/process.ts";

/** Starts a server, and stays. */
export const startsServer =
  /^((npx --yes bun@[\d.]+|bun) run server|number-dispenser -data \.\/data)$/;

/** A folder and an environment as a reader has them, with a port of its own in place of 6380. */
export class Reader {
  readonly port = freePort();
  readonly folder = join(temporaryFolder(), "number-dispenser");
  private readonly env: Record<string, string | undefined>;
  private server: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;

  constructor() {
    const left = ["node_modules", ".git", "data", "dist", "coverage"];
    cpSync(root, this.folder, {
      recursive: true,
      // Another test builds the binary here meanwhile, by way of files that vanish.
      filter: (path) =>
        path === root || !(left.includes(basename(path)) || path.endsWith(".bun-build")),
    });
    const programs = join(this.folder, "../programs");
    mkdirSync(programs);
    const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
    const shims = {
      "number-dispenser": quoted(fromSource),
      // As on a terminal.
      "redis-cli": `'${Bun.which("redis-cli")}' --no-raw`,
      bun: `'${process.execPath}'`,
    };
    for (const [name, command] of Object.entries(shims)) {
      writeFileSync(join(programs, name), `#!/bin/sh\nexec ${command} "$@"\n`);
      chmodSync(join(programs, name), 0o755);
    }
    this.env = {
      ...process.env,
      PATH: `${programs}:${process.env.PATH}`,
      NUMBER_DISPENSER_ADDR: `127.0.0.1:${this.port}`,
    };
  }

  /** The command with this reader's port. */
  private own(command: string): string {
    return command.replaceAll("6380", String(this.port));
  }

  async startServer(command: string): Promise<void> {
    await this.stopServer();
    const server = Bun.spawn(["sh", "-c", `exec ${command}`], {
      cwd: this.folder,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    endOnExit(server);
    this.server = server;
    let log = "";
    for await (const chunk of server.stderr) {
      log += Buffer.from(chunk).toString();
      if (/ ready /.test(log)) return;
    }
    throw new Error(`${command} ended:\n${log}`);
  }

  /** npx passes no signal on: the server is asked. */
  async stopServer(): Promise<void> {
    if (this.server === undefined) return;
    Bun.spawnSync(["redis-cli", "-p", String(this.port), "SHUTDOWN"], { stderr: "ignore" });
    await this.server.exited;
    this.server = undefined;
  }

  /** As a crash does it. */
  async killServer(): Promise<void> {
    this.server!.kill("SIGKILL");
    await this.server!.exited;
    this.server = undefined;
  }

  /** What a command prints on both streams, and its exit status. */
  async run(command: string, input = ""): Promise<{ output: string; status: number }> {
    const child = Bun.spawn(["sh", "-c", `{ ${this.own(command)}\n} 2>&1`], {
      cwd: this.folder,
      env: this.env,
      stdin: new Blob([input]),
      stdout: "pipe",
    });
    const output = (await child.stdout.text()).replaceAll("\r\n", "\n").trimEnd();
    return { output, status: await child.exited };
  }
}
