/** PgBouncer for the tests: Debian's, in front of a PostgreSQL of the tests. */

import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testkit/folder.ts";
import { freePort } from "../../testkit/ports.ts";
import { asPostgres, type PostgresServer } from "../../testkit/postgres.ts";
import { endOnExit } from "../../testkit/process.ts";
import { until } from "../../testkit/until.ts";

/** Debian has it where only root looks for programs. */
export const findPgBouncer = (): string | null =>
  Bun.which("pgbouncer") ?? Bun.which("pgbouncer", { PATH: "/usr/sbin" });

export type PoolMode = "session" | "transaction" | "statement";

export class PgBouncer {
  readonly port = freePort();
  private readonly folder = temporaryFolder();
  private readonly server: PostgresServer;
  private child: Bun.Subprocess | undefined;

  constructor(server: PostgresServer) {
    this.server = server;
  }

  get url(): string {
    return this.server.url.replace(`:${this.server.port}/`, `:${this.port}/`);
  }

  /** Starts it with a mode, and with other settings than its defaults. */
  async start(mode: PoolMode, settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const users = join(this.folder, "users.txt");
    const file = join(this.folder, "pgbouncer.ini");
    const all = {
      listen_addr: "127.0.0.1",
      listen_port: String(this.port),
      unix_socket_dir: "",
      auth_type: "trust",
      auth_file: users,
      pool_mode: mode,
      ...settings,
    };
    const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}`);
    const databases = ["[databases]", `* = host=127.0.0.1 port=${this.server.port}`];
    writeFileSync(users, '"dispenser" ""\n');
    writeFileSync(file, [...databases, "[pgbouncer]", ...lines, ""].join("\n"));
    // PostgreSQL's user has to be able to read them.
    chmodSync(this.folder, 0o755);
    chmodSync(join(this.folder, ".."), 0o755);
    this.child = Bun.spawn([...asPostgres, findPgBouncer()!, file], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    endOnExit(this.child);
    await until(async () => {
      const ended = this.child?.exitCode ?? null;
      if (ended !== null) throw new Error(`pgbouncer ended with ${ended}`);
      const socket = await Bun.connect({
        hostname: "127.0.0.1",
        port: this.port,
        socket: { data() {} },
      }).catch(() => undefined);
      socket?.end();
      return socket !== undefined;
    });
  }

  async stop(): Promise<void> {
    this.child?.kill("SIGTERM");
    await this.child?.exited;
  }
}
