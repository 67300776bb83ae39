/** PostgreSQL for the tests: Debian's, on a port and in a folder of its own. */

import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./folder.ts";
import { freePort } from "./ports.ts";
import { endOnExit } from "./process.ts";
import { until } from "./until.ts";

const DEBIAN = "/usr/lib/postgresql";

/** The folder of PostgreSQL's programs; undefined if it is not installed. */
export function findPostgres(): string | undefined {
  const initdb = Bun.which("initdb");
  if (initdb !== null) return dirname(realpathSync(initdb));
  if (!existsSync(DEBIAN)) return undefined;
  const versions = readdirSync(DEBIAN).sort((left, right) => Number(right) - Number(left));
  return versions.map((version) => join(DEBIAN, version, "bin")).find((bin) => existsSync(bin));
}

/** Runs a program as the user of PostgreSQL, because such programs refuse to run as root. */
export const asPostgres =
  process.getuid?.() === 0
    ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    : [];

function idOf(flag: "-u" | "-g"): number {
  return Number(Bun.spawnSync(["id", flag, "postgres"]).stdout.toString());
}

export class PostgresServer {
  readonly port = freePort();
  readonly folder: string;
  private readonly bin: string;
  private child: Bun.Subprocess | undefined;

  /** With `primary`, it begins as a copy of that server, and follows it. */
  constructor(primary?: PostgresServer) {
    const bin = findPostgres();
    if (bin === undefined) throw new Error("PostgreSQL is not installed");
    this.bin = bin;
    this.folder = join(temporaryFolder(), "postgres");
    mkdirSync(this.folder, { mode: 0o700 });
    if (asPostgres.length > 0) {
      // PostgreSQL's user has to be able to enter the folders above.
      for (const path of [join(this.folder, ".."), join(this.folder, "../..")])
        chmodSync(path, 0o755);
      chownSync(this.folder, idOf("-u"), idOf("-g"));
    }
    const [program, ...args] =
      primary === undefined
        ? ["initdb", "-A", "trust", "-U", "dispenser", "-N", "-D", this.folder]
        : ["pg_basebackup", "-c", "fast", "-R", "-D", this.folder, "-d", primary.url];
    const env = { ...process.env, LC_ALL: "C" };
    const made = Bun.spawnSync([...asPostgres, join(bin, program!), ...args], { env });
    if (made.exitCode !== 0) throw new Error(`${program}: ${made.stderr}`);
  }

  /** Runs a statement. */
  query(sql: string): Promise<void> {
    return this.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, this.url);
  }

  /** Makes commits wait for a replica from now on. */
  async waitForReplicas(): Promise<void> {
    await this.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
    await this.query("SELECT pg_reload_conf()");
  }

  /** Makes this replica take over. */
  promote(): Promise<void> {
    return this.query("SELECT pg_promote()");
  }

  get url(): string {
    return `postgres://dispenser@127.0.0.1:${this.port}/postgres`;
  }

  get pid(): number {
    return this.child!.pid;
  }

  async start(): Promise<void> {
    const settings = [
      `port=${this.port}`,
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
    ];
    this.child = Bun.spawn(
      [
        ...asPostgres,
        join(this.bin, "postgres"),
        ...["-D", this.folder],
        ...settings.flatMap((setting) => ["-c", setting]),
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
    );
    endOnExit(this.child);
    await until(() => {
      const ready = Bun.spawnSync([
        join(this.bin, "pg_isready"),
        "-h",
        "127.0.0.1",
        "-p",
        String(this.port),
      ]);
      const ended = this.child?.exitCode ?? null;
      if (ended !== null) throw new Error(`postgres ended with ${ended}`);
      return ready.exitCode === 0;
    });
  }

  /**
   * Dumps the database. Answers a function that restores the dump while server and clients go on.
   */
  async dump(): Promise<() => Promise<void>> {
    const file = join(temporaryFolder(), "dump.sql");
    await this.run("pg_dump", "--clean", "--if-exists", "-f", file, this.url);
    return () => this.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", file, this.url);
  }

  private async run(program: string, ...args: string[]): Promise<void> {
    const child = Bun.spawn([join(this.bin, program), ...args], {
      stdout: "ignore",
      stderr: "pipe",
    });
    const said = await child.stderr.text();
    if ((await child.exited) !== 0) throw new Error(`${program}: ${said}`);
  }

  /** Stops the server. "SIGQUIT" is PostgreSQL's immediate shutdown, which is like a crash. */
  async stop(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    this.child?.kill(signal);
    await this.child?.exited;
  }
}
