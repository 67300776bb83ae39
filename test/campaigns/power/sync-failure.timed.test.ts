/**
 * A sync that fails: the server stops, and whatever the next start is shown, what the disk holds or
 * what the page cache still claims it does, no number comes twice; not even where the power fails
 * during that start.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import { cutPower, materialise, record, recover, replay } from "./cuts.ts";
import { Disk, type Image } from "./disk.ts";
import { Ledger } from "./ledger.ts";
import { DATABASE, recorded, tracingMissing, WAL } from "./strace.ts";
import { type Event, readTrace } from "./trace.ts";
import { runInOrder } from "./workload.ts";

/** The ordinals, among all syncs, of those of this file that come after the first client. */
function syncsOf(name: string, events: readonly Event[]): number[] {
  const firstClient = events.findIndex(({ kind }) => kind === "received");
  const syncs = events.filter(({ kind }) => kind === "sync");
  const names = namesOf(events);
  return [...syncs.keys()].filter((at) => {
    const sync = syncs[at]!;
    const isOfFile = sync.kind === "sync" && names.get(sync.handle) === name;
    return isOfFile && events.indexOf(sync) > firstClient;
  });
}

function namesOf(events: readonly Event[]): Map<number, string> {
  const names = new Map<number, string>();
  for (const event of events) if (event.kind === "open") names.set(event.handle, event.name);
  return names;
}

/** The sync meant may come so much earlier or later than in the life before. */
const AROUND = [0, -1, 1, 0, -2, 2, 0, -3, 3];
const TRIES = 36;

interface Aftermath {
  readonly cached: Image;
  readonly durable: Image;
  readonly ledger: Ledger;
  readonly failedName: string | undefined;
  /** Bytes that clients were sent after the sync had failed. */
  readonly sentAfter: string;
}

/** A life in which the sync with this ordinal fails. */
async function failSync(ordinal: number): Promise<Aftermath> {
  const dataDir = join(temporaryFolder(), "data");
  let log = "";
  const events = await record(dataDir, [
    {
      program: (prefix) => recorded(prefix, ordinal + 1),
      run: async (server) => {
        // The server ends in the middle of it.
        await Promise.allSettled([runInOrder(server.port)]);
        await server.exited();
        log = server.log;
      },
      signal: "none",
      savesCounts: false,
    },
  ]);
  expect(log).toContain("stopped: no number leaves any more; the next start recovers");
  expect(log).toContain("SQLITE_IOERR_FSYNC");
  return aftermathOf(events, new Disk(undefined), new Ledger());
}

/** What is left of a life in which a sync failed. */
function aftermathOf(events: readonly Event[], disk: Disk, ledger: Ledger): Aftermath {
  const failed = events.findIndex((event) => event.kind === "sync" && !event.succeeded);
  const names = namesOf(events);
  const sync = events[failed]!;
  replay({ events, disk, ledger, seed: 0 }, events.length);
  return {
    cached: disk.survivors("written"),
    durable: disk.survivors("synced"),
    ledger,
    failedName: sync.kind === "sync" ? names.get(sync.handle) : undefined,
    sentAfter: events
      .slice(failed)
      .map((event) => (event.kind === "sent" ? event.bytes : ""))
      .join(""),
  };
}

/** The next start, from either view of the disk, and from any instant of it as well. */
async function checkNextStart({ cached, durable, ledger }: Aftermath, seed: number): Promise<void> {
  for (const image of [cached, durable]) recover(image, (engine) => ledger.check(engine, false));
  const events = await record(materialise(cached), [
    {
      run: async ({ port }) => {
        const client = await TestClient.connect(port);
        await client.pipeline([
          ["GET", "elegant_close"],
          ["GET", "pre_close"],
        ]);
      },
      signal: "SIGKILL",
    },
  ]);
  const options = { events, disk: new Disk(cached, durable), ledger, seed };
  const counts = cutPower(options, new Set(events.keys()));
  expect(counts.instants).toBe(events.length);
}

/** One line that says what failed, after what is told of the crash. */
const START_REFUSED = /^(.*warning.*\n)*number-dispenser: cannot open .*(IOERR|EIO).*\n$/;

async function crashedLife(): Promise<Event[]> {
  const run = async ({ port }: { port: number }) => {
    const client = await TestClient.connect(port);
    for (const name of ["elegant_close", "pre_close"]) {
      await client.command("HSET", name, "type", "3", "auto_disk", name);
      for (let taken = 0; taken < 5; taken++) await client.command("GET", name);
    }
  };
  return record(join(temporaryFolder(), "data"), [{ run, signal: "SIGKILL" }]);
}

/** The pid of a process that has ended: of its threads the first is the main one. */
function mainThread(prefix: string): number {
  const files = readdirSync(dirname(prefix));
  return Math.min(...files.map((file) => Number(file.slice(file.lastIndexOf(".") + 1))));
}

describe.skipIf(tracingMissing !== undefined)("a sync that fails", () => {
  let reference: Event[] = [];
  beforeAll(async () => {
    const dataDir = join(temporaryFolder(), "data");
    const run = ({ port }: { port: number }) => runInOrder(port);
    reference = await record(dataDir, [{ run, signal: "SIGKILL", savesCounts: false }]);
  });

  /** The first syncs of this file, which are of definitions and so of many pages, and others. */
  const chosen = (name: string, count: number) => {
    const all = syncsOf(name, reference);
    expect(all.length).toBeGreaterThan(0);
    const apart = Math.max(1, all.length / count);
    const spread = Array.from({ length: count }, (_, nth) => all[Math.floor(nth * apart)]);
    return new Set([...all.slice(0, 3), ...spread].filter((ordinal) => ordinal !== undefined));
  };

  const startsFromBoth = async (name: string, count: number) => {
    for (const ordinal of chosen(name, count)) {
      // How often a life commits depends on how its requests meet the turns: some are tried.
      const near = Array.from({ length: TRIES }, (_, at) => ordinal + AROUND[at % AROUND.length]!);
      let aftermath: Aftermath | undefined;
      for (const each of near) {
        if (aftermath?.failedName !== name) aftermath = await failSync(each);
      }
      expect([aftermath!.failedName, aftermath!.sentAfter]).toEqual([name, ""]);
      await checkNextStart(aftermath!, ordinal);
    }
  };

  test("of the WAL: nothing comes twice, though the power fails during the next start", () =>
    startsFromBoth(WAL, 3));

  test("of the main file, as the WAL is moved into it: the same", () =>
    startsFromBoth(DATABASE, 2));

  test("in the start after a crash: it says so and stops, and the next one loses nothing", async () => {
    const ledger = new Ledger();
    const reference = { events: await crashedLife(), disk: new Disk(undefined), ledger, seed: 0 };
    replay(reference, reference.events.length);
    const image = reference.disk.survivors("written");
    const calm = await record(materialise(image), [{ run: async () => {}, signal: "SIGKILL" }]);
    // Not of the folder: SQLite passes over a failure of its own sync of that.
    const ordinals = [WAL, DATABASE].flatMap((name) => syncsOf(name, calm));
    // The log made durable, and moved: that it is in use the main file says already.
    expect(ordinals.length).toBeGreaterThanOrEqual(3);
    for (const ordinal of ordinals) {
      const dataDir = materialise(image);
      const prefix = join(temporaryFolder(), "trace");
      const program = recorded(prefix, ordinal + 1);
      const { status, log } = await ServerProcess.run({ dataDir, program });
      expect([status, log]).toEqual([1, expect.stringMatching(START_REFUSED)]);
      const events = readTrace(prefix, mainThread(prefix), dataDir);
      const aftermath = aftermathOf(events, new Disk(image), ledger.clone());
      await checkNextStart(aftermath, ordinal);
    }
  });
});
