/**
 * Power cuts: a life of the real server is recorded, cut short at many of its instants, and what
 * each cut leaves of the disk is started from again and held against what clients were told.
 */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine } from "../../../src/engine/engine.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { randomFrom } from "../../../testkit/prng.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import type { Disk, Image, Survival } from "./disk.ts";
import type { Ledger } from "./ledger.ts";
import { recorded } from "./strace.ts";
import { type Event, readTrace } from "./trace.ts";

/** Puts an image into a folder of its own: the path where the server's data folder is, or not. */
export function materialise(image: Image, parent = temporaryFolder()): string {
  const dataDir = join(parent, "data");
  if (image === undefined) return dataDir;
  mkdirSync(dataDir);
  for (const [name, bytes] of image) writeFileSync(join(dataDir, name), bytes);
  return dataDir;
}

/** A folder as it is now; only of a server that has ended. */
export function imageOf(dataDir: string): Image {
  const names = readdirSync(dataDir);
  return new Map(names.map((name) => [name, readFileSync(join(dataDir, name))]));
}

/** In memory where there is such a place: thousands of recoveries need no real disk. */
const recoveryRoot = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** Starts from an image in this process, looks, and closes cleanly. Throws where it is refused. */
export function recover(image: Image, look: (engine: Engine) => void): void {
  const parent = mkdtempSync(join(recoveryRoot, "number-dispenser-recovery-"));
  try {
    const options = { create: true, allowNetworkFileSystem: false };
    const store = openSqliteStore(materialise(image, parent), options);
    const engine = new Engine(store, { now: () => 0, savesCounts: true });
    look(engine);
    if (store.crashed) engine.skippedByCrash();
    engine.commit();
    engine.close();
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** A process's life on a folder: what the clients do, and how it ends. */
export interface Life {
  readonly run: (server: ServerProcess) => Promise<void>;
  /** "none" where the server is expected to stop by itself, with status 1. */
  readonly signal: "SIGTERM" | "SIGKILL" | "none";
  /** By default the recorder of strace.ts, which writes to this prefix. */
  readonly program?: (prefix: string) => readonly string[];
  /** Whether counts are saved in the background, which no two lives do at the same instants. */
  readonly savesCounts?: boolean;
}

/** Runs lives on one folder, the machine staying on, and answers all they did. */
export async function record(dataDir: string, lives: readonly Life[]): Promise<Event[]> {
  const events: Event[] = [];
  for (const { run, signal, program = recorded, savesCounts = true } of lives) {
    if (events.length > 0) events.push({ kind: "restart" });
    const prefix = join(temporaryFolder(), "trace");
    const env = { NUMBER_DISPENSER_AUTO_SAVE: String(savesCounts) };
    const server = await ServerProcess.start({ dataDir, program: program(prefix), env });
    await run(server);
    const status = signal === "none" ? await server.exited() : await server.end(signal);
    const expected = { SIGTERM: 0, SIGKILL: 128, none: 1 }[signal];
    if (status !== expected) throw new Error(`status ${status}: ${server.log}`);
    for (const event of readTrace(prefix, server.pid, dataDir)) events.push(event);
  }
  return events;
}

export interface CutOptions {
  readonly events: readonly Event[];
  readonly disk: Disk;
  readonly ledger: Ledger;
  readonly seed: number;
}

export interface CutCounts {
  instants: number;
  recoveries: number;
  syncs: number;
}

const ways = (seed: number): [string, Survival][] => [
  ["what was synced", "synced"],
  ["what was written", "written"],
  [`a part by seed ${seed}`, randomFrom(seed)],
  [`a part by seed ${seed + 1}`, randomFrom(seed + 1)],
];

/** Goes through a recorded life and cuts the power at these instants. Throws at the first harm. */
export function cutPower(options: CutOptions, instants: ReadonlySet<number>): CutCounts {
  const { events, disk, ledger, seed } = options;
  const counts = { instants: 0, recoveries: 0, syncs: 0 };
  replay(options, events.length, (index) => {
    if (events[index]!.kind === "sync") counts.syncs++;
    if (!instants.has(index)) return;
    counts.instants++;
    for (const [name, survival] of ways(seed + 2 * index)) {
      const image = disk.survivors(survival);
      counts.recoveries++;
      try {
        recover(image, (engine) => ledger.check(engine, false));
      } catch (error) {
        const at = `cut ${index} of ${events.length}, in ${describe(events[index]!)}, left ${name}`;
        throw new Error(`${at}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
  return counts;
}

/** Brings disk and ledger to an instant: the event with this index is entered and not ended. */
export function replay(
  { events, disk, ledger }: CutOptions,
  until: number,
  look: (index: number) => void = () => {},
): void {
  for (const [index, event] of events.entries()) {
    if (event.kind === "restart") goOn(disk, ledger);
    if (event.kind === "received") ledger.received(event.client, event.bytes);
    if (event.kind === "sent") ledger.sent(event.client, event.bytes);
    disk.enter(event);
    look(index);
    if (index === until) return;
    disk.complete(event);
  }
}

/** After a clean stop the next process begins with what the page cache shows. */
function goOn(disk: Disk, ledger: Ledger): void {
  recover(disk.survivors("written"), (engine) => {
    ledger.check(engine, true);
    ledger.beginLife(engine);
  });
}

function describe(event: Event): string {
  const { bytes, ...rest } = { bytes: "", ...event };
  return `${JSON.stringify(rest)} of ${bytes.length} bytes`;
}

/**
 * Instants to cut at: a third of them in what the server does before its first client, a third at
 * its syncs, a third anywhere; spread evenly, the seed saying where they begin.
 */
export function sampleInstants(events: readonly Event[], count: number, seed: number): Set<number> {
  const random = randomFrom(seed);
  const all = [...events.keys()].filter((index) => events[index]!.kind !== "received");
  const firstClient = events.findIndex(({ kind }) => kind === "received");
  const groups = [
    all.filter((index) => index < firstClient),
    all.filter((index) => events[index]!.kind === "sync"),
    all,
  ];
  const each = count / groups.length;
  return new Set(
    groups.flatMap((group) => {
      const apart = Math.max(1, group.length / each);
      const begin = random() * apart;
      const positions = Array.from({ length: Math.ceil(each) }, (_, nth) => begin + nth * apart);
      return positions.filter((at) => at < group.length).map((at) => group[Math.floor(at)]!);
    }),
  );
}
