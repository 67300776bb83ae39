/** SIGKILL at exact system calls of the start and of the clean close: the next start goes on. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { imageOf, materialise, record, recover } from "./cuts.ts";
import type { Image } from "./disk.ts";
import { ALL_FILES, DATABASE, tampered, tracingMissing } from "./strace.ts";
import type { Event } from "./trace.ts";

const TAKEN = 10;

async function takeSome({ port }: { port: number }): Promise<void> {
  const client = await TestClient.connect(port);
  for (const name of ["elegant_close", "pre_close"]) {
    await client.command("HSET", name, "type", "3", "auto_disk", name);
    for (let taken = 0; taken < TAKEN; taken++) await client.command("GET", name);
  }
}

/** With ten numbers handed out no strategy with a bound of 5 % may have wasted any. */
function expectAllThere(image: Image): void {
  recover(image, (engine) => {
    const positions = [...engine.all()].map(({ name, position }) => [name, position]);
    expect(positions).toEqual([
      ["elegant_close", BigInt(TAKEN)],
      ["pre_close", BigInt(TAKEN)],
    ]);
  });
}

const callOf: Partial<Record<Event["kind"], string>> = {
  write: "pwrite64",
  sync: "fsync",
  truncate: "ftruncate",
  link: "link",
  unlink: "unlink",
  mkdir: "mkdir",
};

interface Target {
  readonly call: string;
  readonly nth: number;
}

/**
 * The calls on the files of the database among these events, up to `most` of each kind. Of the
 * events before `from` the calls are only counted. `missed` unlinks before that found no file.
 */
function targets(events: readonly Event[], most: number, from = 0, missed = 0): Target[] {
  const names = new Map<number, string>();
  const found = new Map<string, Target[]>();
  const counts = new Map([["unlink", missed]]);
  for (const [index, event] of events.entries()) {
    if (event.kind === "open") names.set(event.handle, event.name);
    const call = callOf[event.kind];
    const name = "handle" in event ? names.get(event.handle) : "name" in event ? event.name : "";
    const isOurs = name === "" || name?.startsWith(DATABASE);
    if (call === undefined || !isOurs) continue;
    const nth = (counts.get(call) ?? 0) + 1;
    counts.set(call, nth);
    if (index >= from) found.set(call, [...(found.get(call) ?? []), { call, nth }]);
  }
  return [...found.values()].flatMap((all) => {
    const apart = Math.max(1, all.length / most);
    return all.filter((_, at) => Math.floor(at / apart) !== Math.floor((at - 1) / apart));
  });
}

const killing = (dataDir: string, { call, nth }: Target) =>
  tampered(dataDir, { call, effect: "signal=SIGKILL", when: String(nth), names: ALL_FILES });

/** Starts on a folder and is killed there; answers whether that was before it was ready. */
async function isKilledInStart(dataDir: string, target: Target): Promise<boolean> {
  const start = ServerProcess.start({ dataDir, program: killing(dataDir, target) });
  const server = await start.catch(() => undefined);
  await server?.end("SIGKILL");
  return server === undefined;
}

describe.skipIf(tracingMissing !== undefined)("SIGKILL at a system call", () => {
  test("of the first start leaves a folder that the next start begins or goes on with", async () => {
    const reference = join(temporaryFolder(), "data");
    const events = await record(reference, [{ run: async () => {}, signal: "SIGKILL" }]);
    const all = targets(events, 5);
    let killed = 0;
    for (const target of all) {
      const dataDir = join(temporaryFolder(), "data");
      if (await isKilledInStart(dataDir, target)) killed++;
      const image = target.call === "mkdir" ? undefined : imageOf(dataDir);
      recover(image, (engine) => expect(engine.size).toBe(0));
    }
    expect(killed).toBe(all.length);
  });

  test("of the start after a crash repeats and loses nothing", async () => {
    const reference = join(temporaryFolder(), "data");
    await record(reference, [{ run: takeSome, signal: "SIGKILL" }]);
    const image = imageOf(reference);
    const again = materialise(image);
    const events = await record(again, [{ run: async () => {}, signal: "SIGKILL" }]);
    const all = targets(events, 6);
    let killed = 0;
    for (const target of all) {
      const dataDir = materialise(image);
      if (await isKilledInStart(dataDir, target)) killed++;
      expectAllThere(imageOf(dataDir));
    }
    expect(killed).toBe(all.length);
  });

  test("of the clean close repeats and loses nothing", async () => {
    const reference = join(temporaryFolder(), "data");
    const events = await record(reference, [{ run: takeSome, signal: "SIGTERM" }]);
    const close = events.findLastIndex(({ kind }) => kind === "sent") + 1;
    // While the database is made, four files that are not there are removed.
    const all = targets(events, 4, close, 4);
    expect(all.map(({ call }) => call)).toEqual(expect.arrayContaining(["pwrite64", "unlink"]));
    let killed = 0;
    for (const target of all) {
      const dataDir = join(temporaryFolder(), "data");
      const server = await ServerProcess.start({ dataDir, program: killing(dataDir, target) });
      await takeSome(server);
      if ((await server.end("SIGTERM")) !== 0) killed++;
      expectAllThere(imageOf(dataDir));
    }
    expect(killed).toBe(all.length);
  });
});
