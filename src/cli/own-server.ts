/** Starts this program once more as a server to measure. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CannotStart } from "../base/errors.ts";
import { isCompiled } from "../base/version.ts";
import { VARIABLE_PREFIX } from "../config/load.ts";
import type { Environment } from "./connection.ts";

/** The command line that starts this program. */
const programCommand = isCompiled
  ? [process.execPath]
  : [process.execPath, join(import.meta.dir, "../main.ts")];

/** A server process with a folder of its own and the default settings. */
export class OwnServer {
  private readonly child: Bun.Subprocess<"ignore", "ignore", "pipe">;

  constructor(folder: string, environment: Environment) {
    const noSettings = join(folder, "empty.yaml");
    writeFileSync(noSettings, "");
    const others = Object.entries(environment).filter(
      ([name]) => !name.startsWith(VARIABLE_PREFIX) && !name.startsWith("LISTEN_"),
    );
    const args = ["-addr", "127.0.0.1:0", "-config", noSettings, "-data", join(folder, "data")];
    this.child = Bun.spawn([...programCommand, ...args], {
      env: { ...Object.fromEntries(others), [`${VARIABLE_PREFIX}LOG_FORMAT`]: "json" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
  }

  /** Waits until the server is ready. Answers the port that it listens on. */
  ready(): Promise<number> {
    return readyPort(this.child.stderr);
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  async end(): Promise<void> {
    this.kill();
    await this.child.exited;
  }
}

/** The port from the ready line of a JSON log. Throws CannotStart with the log if none comes. */
async function readyPort(log: ReadableStream<Uint8Array>): Promise<number> {
  let text = "";
  for await (const piece of log) {
    text += Buffer.from(piece).toString();
    const address = /"ready".*"address":"127\.0\.0\.1:(\d+)"/.exec(text);
    if (address !== null) return Number(address[1]);
  }
  throw new CannotStart(`the server did not start: ${text.trim()}`);
}
