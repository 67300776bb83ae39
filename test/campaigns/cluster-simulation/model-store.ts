/**
 * A shared store that a simulation drives: what is asked waits until it is let through, what it answers
 * waits again, and either may be lost. What was given up may be written all the same, and late.
 */

import {
  type LeaseStore,
  LeaseStoreUnavailable,
  type Row,
  type Snapshot,
  type StoreVersion,
  type Write,
} from "../../../src/cluster/stores/store.ts";
import type { Prng } from "../../../testkit/prng.ts";

/** A call gives up after this long. */
const ANSWER_MS = 1500;

interface Call {
  readonly link: Link;
  readonly sinceMs: number;
  /** Does it in the store; what it answers. */
  readonly apply: () => unknown;
  readonly settle: PromiseWithResolvers<unknown>;
  /** The store did it. */
  result: { readonly value: unknown } | undefined;
  /** The node heard, or gave up. */
  isOver: boolean;
}

/** What a node in one of its lives has of the store. */
export class Link implements LeaseStore {
  readonly title = "model";
  /** Nothing passes. */
  isCut = false;
  /** The process is dead, and hears nothing any more. */
  isDead = false;
  /** Which run of the store it is connected to. */
  run: number;
  private readonly model: ModelStore;

  constructor(model: ModelStore) {
    this.model = model;
    this.run = model.run;
  }

  read(keys: readonly string[]): Promise<Snapshot> {
    return this.model.call(this, () => this.model.reading((key) => keys.includes(key)));
  }

  list(prefix: string, after = 0n): Promise<Snapshot> {
    return this.model.call(this, () =>
      this.model.reading((key, row) => key.startsWith(prefix) && row.revision > after),
    );
  }

  write(write: Write): Promise<StoreVersion | undefined> {
    return this.model.call(this, () => this.model.write(write));
  }

  /** The simulated nodes only ask. */
  watch(): void {}

  async close(): Promise<void> {}
}

/** What of a store that went back in time can be seen in its answers. */
export type Trace =
  /** A replica that lags took over. */
  | "timeline"
  /** A dump was put back: the store knows by itself. */
  | "restored"
  /** A disk was set back, and the server started on it. */
  | "term"
  /** Nothing, as with what only speaks SQL. */
  | "nothing";

/** A state of the store. */
export interface Past {
  readonly rows: Map<string, Row>;
  readonly revision: bigint;
}

export class ModelStore {
  rows = new Map<string, Row>();
  private timeline = 1;
  private term = 1;
  private isRestored = false;
  /** Counts how often all connections were lost. */
  run = 0;
  private revision = 0n;
  private calls: Call[] = [];
  private readonly nowMs: () => number;
  private readonly isPlain: boolean;
  readonly past: Past[] = [];

  /** `isPlain`: it says nothing of itself, as what only speaks SQL. */
  constructor(nowMs: () => number, isPlain: boolean) {
    this.nowMs = nowMs;
    this.isPlain = isPlain;
  }

  /** What can be seen where it goes back. */
  get traces(): readonly Trace[] {
    return this.isPlain ? ["nothing"] : ["timeline", "restored", "term"];
  }

  get version(): StoreVersion {
    const { timeline, term, revision, isRestored } = this;
    if (this.isPlain) return { identity: "", timeline: "", term: "", revision, isRestored };
    const own = { identity: "model", timeline: String(timeline), term: String(term) };
    return { ...own, revision, isRestored };
  }

  reading(isWanted: (key: string, row: Row) => boolean): Snapshot {
    const rows = new Map([...this.rows].filter(([key, row]) => isWanted(key, row)));
    return { version: this.version, rows };
  }

  write({ guards, puts, removes = [], accepts }: Write): StoreVersion | undefined {
    if (this.isRestored && !accepts) return undefined;
    for (const [key, revision] of guards) {
      if ((this.rows.get(key)?.revision ?? 0n) !== revision) return undefined;
    }
    this.revision++;
    this.isRestored = false;
    for (const key of removes) this.rows.delete(key);
    for (const [key, value] of puts) this.rows.set(key, { value, revision: this.revision });
    return this.version;
  }

  call<T>(link: Link, apply: () => T): Promise<T> {
    if (link.run !== this.run) {
      link.run = this.run;
      return Promise.reject(new LeaseStoreUnavailable("connection lost"));
    }
    const settle = Promise.withResolvers<unknown>();
    const sinceMs = this.nowMs();
    this.calls.push({ link, sinceMs, apply, settle, result: undefined, isOver: false });
    return settle.promise as Promise<T>;
  }

  /** Something of what is under way goes on, or does not. */
  step(prng: Prng): void {
    const passing = this.calls.filter(({ link }) => !link.isCut);
    if (passing.length === 0) return;
    const call = prng.pick(passing);
    // What a node that is gone asked is done as well.
    if (call.result === undefined) call.result = { value: call.apply() };
    else this.answer(call);
    if (prng.once(30)) this.giveUp(call);
  }

  /** Lets all through that one node waits for. */
  serve(link: Link): void {
    for (const call of this.calls.filter((each) => each.link === link)) {
      call.result ??= { value: call.apply() };
      this.answer(call);
    }
  }

  private answer(call: Call): void {
    this.calls = this.calls.filter((each) => each !== call);
    if (call.isOver || call.link.isDead) return;
    call.isOver = true;
    call.settle.resolve(call.result!.value);
  }

  /** The node waits no longer: whether it was done, or will be, it does not know. */
  private giveUp(call: Call): void {
    if (call.isOver) return;
    call.isOver = true;
    if (!call.link.isDead) call.settle.reject(new LeaseStoreUnavailable("no answer"));
  }

  /** Nodes give up what takes too long. */
  passTime(): void {
    for (const call of this.calls) if (this.nowMs() - call.sinceMs > ANSWER_MS) this.giveUp(call);
  }

  /** What may be gone back to. */
  snapshot(): void {
    this.past.push({ rows: new Map(this.rows), revision: this.revision });
    if (this.past.length > 4) this.past.shift();
  }

  /** What was written since is forgotten; others, who have rows of their own there, write so often meanwhile. */
  goBack({ rows, revision }: Past, trace: Trace, writesOfOthers: number): void {
    this.past.length = 0;
    // A dump is put back while the server goes on.
    if (trace !== "restored") this.lose();
    this.rows = new Map(rows);
    this.revision = revision + BigInt(writesOfOthers);
    if (trace === "timeline") this.timeline++;
    if (trace === "timeline" || trace === "term") this.term++;
    this.isRestored ||= trace === "restored";
  }

  /** A replica that has everything takes over. */
  promote(): void {
    this.lose();
    this.timeline++;
    this.term++;
  }

  /** What is under way is answered nobody, and done no more; all connections are lost. */
  private lose(): void {
    this.run++;
    for (const call of this.calls) this.giveUp(call);
    this.calls = [];
  }
}
