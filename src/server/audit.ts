/**
 * Who did what: changes of dispenser definitions and positions, of settings, of clients, and
 * backups. Each is a line of the log, and a line of JSON in a file of its own if `log.audit` names
 * one.
 *
 * Invariant: a change is told of only once it is on the disk.
 */

import type { Log, LogFields } from "../base/log.ts";
import type { DiskUnavailable } from "../storage/store.ts";
import type { CommitTurn, Holder } from "./session/commit-turn.ts";

/** The client that did it. */
export interface Actor {
  readonly id: number;
  readonly address: string;
  readonly user: { readonly name: string } | undefined;
}

interface Entry {
  readonly action: string;
  readonly fields: LogFields;
}

export class Audit implements Holder {
  private readonly log: Log;
  private readonly turn: CommitTurn;
  private readonly write: (action: string, fields: LogFields) => void;
  private staged: Entry[] = [];

  /** `write` adds a line to the audit file, if there is one. */
  constructor(log: Log, turn: CommitTurn, write: (action: string, fields: LogFields) => void) {
    this.log = log;
    this.turn = turn;
    this.write = write;
  }

  /** Tells of something that a client did; with `waits` once the commit being gathered is over. */
  note(actor: Actor, action: string, fields: LogFields, waits = false): void {
    const { id, address, user } = actor;
    const entry = { action, fields: { ...fields, user: user?.name ?? "", client: address, id } };
    if (!waits) return this.tell(entry);
    if (this.staged.push(entry) === 1) this.turn.hold(this);
  }

  commitEnded(_: number, failure: DiskUnavailable | undefined): void {
    const { staged } = this;
    this.staged = [];
    if (failure === undefined) for (const entry of staged) this.tell(entry);
  }

  drain(): void {}

  private tell({ action, fields }: Entry): void {
    this.log.info(action, fields);
    this.write(action, fields);
  }
}
