/** PostgreSQL for the tests: Debian's, on a port and in a folder of its own. */

import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./folder.ts";
import { freePort } from "./ports.ts";
import { endOnExit } from "./server.ts";
import { until } from "./until.ts";

const DEBIAN = "/usr/lib/postgresql";

/** The folder of PostgreSQL's programs; undefined where it is not installed. */
export function findPostgres(): string | undefined {
  const initdb = Bun.which("initdb");
  if (initdb !== null) return dirname(realpathSync(initdb));
  if (!existsSync(DEBIAN)) return undefined;
  const versions = readdirSync(DEBIAN).sort((left, right) => Number(right) - Number(left));
  return versions.map((version) => join(DEBIAN, version, "bin")).find((bin) => existsSync(bin));
}

/** PostgreSQL refuses to run as root. */
const asPostgres =
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

  constructor() {
    const bin = findPostgres();
    if (bin === undefined) throw new Error("PostgreSQL is not installed");
    this.bin = bin;
    this.folder = join(temporaryFolder(), "postgres");
    mkdirSync(this.folder);
    if (asPostgres.length > 0) {
      // The way to it has to be open to its user.
      for (const path of [join(this.folder, ".."), join(this.folder, "../..")])
        chmodSync(path, 0o755);
      chownSync(this.folder, idOf("-u"), idOf("-g"));
    }
    const made = Bun.spawnSync(
      [
        ...asPostgres,
        join(bin, "initdb"),
        "-A",
        "trust",
        "-U",
        "dispenser",
        "-N",
        "-D",
        this.folder,
      ],
      { env: { ...process.env, LC_ALL: "C" } },
    );
    if (made.exitCode !== 0) throw new Error(`initdb: ${made.stderr}`);
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

  /** "SIGQUIT" is PostgreSQL's immediate shutdown: as a crash, for all its processes. */
  async stop(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    this.child?.kill(signal);
    await this.child?.exited;
  }
}
