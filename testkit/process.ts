/** Servers as real processes, which can be killed. */

import { join, resolve } from "node:path";
import { temporaryFolder } from "./folder.ts";

export const root = resolve(import.meta.dir, "..");

export interface ProcessOptions {
  /** The program and its first arguments; by default the source, run by this Bun. */
  readonly program?: readonly string[];
  readonly dataDir?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Descriptors of listening sockets, which the process gets from number 3 on. */
  readonly passed?: readonly number[];
}

export const fromSource: readonly string[] = [process.execPath, join(root, "src/main.ts")];

/** The running servers; those that a failed test leaves behind are ended after all tests. */
const running = new Set<Bun.Subprocess>();

/** Ends a test's process together with the servers that are left. */
export function endOnExit(child: Bun.Subprocess): void {
  running.add(child);
  void child.exited.then(() => running.delete(child));
}

export function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** A server as a process of its own. */
export class ServerProcess {
  readonly dataDir: string;
  /** The text it wrote to stderr so far. */
  log = "";
  port = 0;
  private readonly options: ProcessOptions;
  private readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  private readonly logRead: Promise<void>;
  private onLog: () => void = () => {};

  private constructor(options: ProcessOptions) {
    this.options = options;
    this.dataDir = options.dataDir ?? join(temporaryFolder(), "data");
    const program = options.program ?? fromSource;
    const args = ["-addr", "127.0.0.1:0", "-data", this.dataDir, ...(options.args ?? [])];
    this.child = Bun.spawn([...program, ...args], {
      cwd: root,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe", ...(options.passed ?? [])],
      onExit: (child) => void running.delete(child),
    });
    running.add(this.child);
    this.logRead = this.readLog();
  }

  /** Starts one and waits until it is ready. */
  static async start(options: ProcessOptions = {}): Promise<ServerProcess> {
    const server = ServerProcess.launch(options);
    await server.logged(/ready .*address=127\.0\.0\.1:(\d+)/);
    server.port = Number(/ready .*address=127\.0\.0\.1:(\d+)/.exec(server.log)![1]);
    return server;
  }

  /** Starts the next one on the same port and data folder, after this one has ended. */
  startAgain(): Promise<ServerProcess> {
    const address = ["-addr", `127.0.0.1:${this.port}`];
    const args = [...(this.options.args ?? []), ...address];
    return ServerProcess.start({ ...this.options, dataDir: this.dataDir, args });
  }

  /** Starts one without waiting until it is ready. */
  static launch(options: ProcessOptions): ServerProcess {
    return new ServerProcess(options);
  }

  /** Runs one that is expected to end by itself. */
  static async run(options: ProcessOptions): Promise<{ status: number; log: string }> {
    const server = new ServerProcess(options);
    const status = await server.exited();
    return { status, log: server.log };
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Waits until the log matches the pattern. */
  async logged(pattern: RegExp): Promise<void> {
    let ended = false;
    void this.logRead.then(() => {
      ended = true;
      this.onLog();
    });
    while (!pattern.test(this.log)) {
      if (ended) throw new Error(`the server ended without logging ${pattern}:\n${this.log}`);
      await new Promise<void>((resolve) => {
        this.onLog = resolve;
      });
    }
  }

  signal(signal: "SIGTERM" | "SIGINT" | "SIGKILL" | "SIGHUP" | "SIGUSR1"): void {
    this.child.kill(signal);
  }

  /** Waits for its end. Answers its exit status; 128 and more for a signal. */
  async exited(): Promise<number> {
    await this.logRead;
    const status = await this.child.exited;
    return this.child.signalCode === null ? status : 128;
  }

  /** Signals it and waits for its end. */
  async end(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number> {
    this.signal(signal);
    return this.exited();
  }

  private async readLog(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stderr) {
      this.log += decoder.decode(chunk, { stream: true });
      this.onLog();
    }
  }
}
