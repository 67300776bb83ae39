/**
 * A disk that is full, one that is over quota, until there is space again, without a restart, and one
 * that is read-only: real file systems where they can be mounted, and refused writes under strace.
 */

import { afterAll, describe, expect, test } from "bun:test";
import { appendFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { fromSource, root, ServerProcess } from "../../../testkit/process.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { record } from "./cuts.ts";
import { tampered, tracingMissing, WAL } from "./strace.ts";

const REFUSED_WRITES = 60;

/** Lines "x" and "gone" are durable at each number, "p" has some reserved, "m" needs no disk. */
async function setUp(client: TestClient): Promise<void> {
  for (const name of ["x", "gone"]) await client.command("HSET", name, "type", "3");
  await client.command("HSET", "p", "type", "3", "auto_disk", "pre-base");
  await client.command("HSET", "m", "type", "3", "auto_disk", "memory");
  for (let taken = 0; taken < 200; taken += 20) {
    await client.pipeline(Array.from({ length: 20 }, () => ["GET", "p"]));
  }
}

/** Takes numbers of x until there is none, or there is one again; answers the last reply. */
async function takeUntil(client: TestClient, isOver: (refused: boolean) => boolean, next: bigint) {
  for (let position = next; ; position++) {
    const reply = await client.command("GET", "x");
    if (isOver(reply instanceof ReplyError)) return { reply, next: position };
    if (reply instanceof ReplyError) position--;
    else expect(reply).toBe(String(position));
  }
}

/** What has to hold while writes are refused; `next` is the number of x that is due. */
async function checkRefused(client: TestClient, reply: unknown, next: bigint): Promise<void> {
  expect((reply as Error).message).toStartWith("ERR storage unavailable: ");
  for (const words of [
    ["HSET", "new", "type", "3"],
    ["HSET", "x", "auto_disk", "pre_close"],
    ["DEL", "gone"],
    ["ADVANCE", "x", "9000"],
  ]) {
    expect(await client.command(...words)).toEqual(reply as ReplyError);
  }
  expect(await client.command("EXISTS", "new", "gone")).toBe(1);
  expect(await client.command("HGET", "x", "auto_disk")).toBe("elegant_close");
  expect((await client.info("x")).current).toBe(String(next));
  expect(await client.command("GET", "m")).toBe("0");
  expect(await client.command("GET", "p")).toBe("200");
}

async function checkRecovered(server: ServerProcess, client: TestClient, next: bigint) {
  expect(await client.command("GET", "x")).toBe(String(next));
  expect(await client.command("HSET", "new", "type", "3")).toBe(1);
  expect(await client.command("DEL", "gone")).toBe(1);
  await server.logged(/storage available again/);
  expect(await server.end("SIGTERM")).toBe(0);
}

/** How a server is started on a small file system of its own, which only it and its /proc see. */
const withMount = ["unshare", "-rm", "sh", "-c"];
const mountMissing =
  process.platform === "linux" &&
  Bun.which("unshare") !== null &&
  Bun.spawnSync([...withMount, "mount -t tmpfs none /mnt"]).exitCode === 0
    ? undefined
    : "no file system can be mounted here";
if (mountMissing !== undefined) console.warn(`A real full disk is not tested: ${mountMissing}.`);

describe.skipIf(mountMissing !== undefined)("a full file system", () => {
  const servers: ServerProcess[] = [];
  afterAll(() => {
    for (const server of servers) server.signal("SIGKILL");
  });

  test("refuses what needs space, and all goes on where it stood when there is space", async () => {
    const dataDir = join(temporaryFolder(), "data");
    const disk = dirname(dataDir);
    const script = `mount -t tmpfs -o size=2m none "${disk}" && exec "$@"`;
    const program = [...withMount, script, "sh", ...fromSource];
    const server = await ServerProcess.start({ dataDir, program });
    servers.push(server);
    const client = await TestClient.connect(server.port);
    await setUp(client);
    const filler = join(`/proc/${server.pid}/root`, disk, "filler");
    const fill = () => {
      for (let size = 1 << 20; size >= 1; ) {
        try {
          appendFileSync(filler, Buffer.alloc(size));
        } catch {
          size = Math.floor(size / 2);
        }
      }
    };
    fill();
    const { reply, next } = await takeUntil(client, (refused) => refused, 0n);
    await checkRefused(client, reply, next);
    rmSync(filler);
    await checkRecovered(server, client, next);
  });
});

describe.skipIf(mountMissing !== undefined)(
  "a file system with too little room for a first start",
  () => {
    test.each(["36k", "44k", "52k", "60k", "68k"])(
      "of %s refuses it, and leaves nothing half made",
      async (size) => {
        const dataDir = join(temporaryFolder(), "data");
        // Once with too little room, then with enough.
        const script =
          `mount -t tmpfs -o size=${size} none "$DISK" && { ! "$@"; } && ls -A "$DISK/data" >&2 && ` +
          'mount -o remount,size=2m "$DISK" && exec "$@"';
        const program = [...withMount, script, "sh", ...fromSource];
        const env = { DISK: dirname(dataDir) };
        const server = await ServerProcess.start({ dataDir, program, env });
        expect(server.log).toMatch(
          /^number-dispenser: cannot create .*full.*\n(?!number-dispenser\.db)/,
        );
        const client = await TestClient.connect(server.port);
        expect(await client.command("HSET", "x", "type", "3")).toBe(1);
        expect(await client.command("GET", "x")).toBe("0");
        expect(await server.end("SIGTERM")).toBe(0);
      },
    );
  },
);

describe.skipIf(mountMissing !== undefined)("a file system that is read-only", () => {
  test.each([
    ["without a database", ""],
    ["with one", 'cp "$DATABASE" "$DISK/data/number-dispenser.db" &&'],
  ])("%s refuses the start in one line", async (_, copy) => {
    const source = await ServerProcess.start();
    expect(await source.end("SIGTERM")).toBe(0);
    const dataDir = join(temporaryFolder(), "data");
    const script =
      `mount -t tmpfs none "$DISK" && mkdir "$DISK/data" && ${copy} ` +
      'mount -o remount,ro "$DISK" && exec "$@"';
    const env = { DISK: dirname(dataDir), DATABASE: join(source.dataDir, "number-dispenser.db") };
    const program = [...withMount, script, "sh", ...fromSource];
    const { status, log } = await ServerProcess.run({ dataDir, program, env });
    expect([status, log]).toEqual([
      1,
      `number-dispenser: cannot read and write ${dataDir}: read-only file system (EROFS)\n`,
    ]);
  });

  test("is told from one that is full where a write is refused", () => {
    const folder = temporaryFolder();
    const script =
      'mount -t tmpfs none "$DISK" && touch "$DISK/file" && mount -o remount,ro "$DISK" && exec "$@"';
    const code =
      `import { failureOf } from "${root}/src/storage/sqlite.ts"; ` +
      'const error = Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR_WRITE" }); ' +
      "for (const name of process.argv.slice(1)) console.log(failureOf(error, name).message)";
    const [command, ...args] = [...withMount, script, "sh", process.execPath, "-e", code];
    const paths = [join(folder, "file"), join(temporaryFolder(), "elsewhere")];
    const { stdout } = Bun.spawnSync([command!, ...args, ...paths], {
      env: { ...process.env, DISK: folder },
    });
    expect(String(stdout).split("\n")).toEqual([
      "the file system has become read-only: see the system's log for errors of the disk",
      "a write was refused: disk, quota or file size limit reached",
      "",
    ]);
  });
});

describe.skipIf(tracingMissing !== undefined)("writes refused for a while", () => {
  test.each(["ENOSPC", "EDQUOT"])("with %s change nothing, and then all goes on", async (error) => {
    const reference = join(temporaryFolder(), "data");
    const set = async ({ port }: { port: number }) => setUp(await TestClient.connect(port));
    const events = await record(reference, [{ run: set, signal: "SIGKILL" }]);
    const handles = events.map((event) =>
      event.kind === "open" && event.name === WAL ? event.handle : 0,
    );
    const writes = events.filter(
      (event) => event.kind === "write" && handles.includes(event.handle),
    );
    // Late enough that all is set up, however many commits that takes this time.
    const first = 2 * writes.length;
    const when = `${first}..${first + REFUSED_WRITES - 1}`;
    const dataDir = join(temporaryFolder(), "data");
    const fault = { call: "pwrite64", effect: `error=${error}`, when, names: [WAL] };
    const server = await ServerProcess.start({ dataDir, program: tampered(dataDir, fault) });
    const client = await TestClient.connect(server.port);
    await setUp(client);
    const refused = await takeUntil(client, (isRefused) => isRefused, 0n);
    await checkRefused(client, refused.reply, refused.next);
    const { reply, next } = await takeUntil(client, (isRefused) => !isRefused, refused.next);
    expect([reply, next]).toEqual([String(refused.next), refused.next]);
    await checkRecovered(server, client, next + 1n);
  });
});
