/**
 * Those who are connected and have not shown who they are: clients that have not logged in, and
 * sockets whose TLS handshake is not over. They give way: where there is no place left, the oldest
 * of them that never sent anything is closed first.
 */

import { networkOf } from "../session/peer.ts";

export interface Stranger {
  /** The client's host without the port. */
  readonly host: string;
  /** Ends the connection. */
  giveWay(): void;
}

/** Some strangers, oldest first. */
class Group {
  readonly silent = new Set<Stranger>();
  readonly spoken = new Set<Stranger>();

  get size(): number {
    return this.silent.size + this.spoken.size;
  }

  get first(): Stranger | undefined {
    for (const stranger of this.silent) return stranger;
    for (const stranger of this.spoken) return stranger;
    return undefined;
  }

  /** Removes a stranger. Answers whether it was there. */
  delete(stranger: Stranger): boolean {
    return this.silent.delete(stranger) || this.spoken.delete(stranger);
  }
}

export class Strangers {
  private readonly all = new Group();
  private readonly byNetwork = new Map<string, Group>();

  get size(): number {
    return this.all.size;
  }

  /** Adds a stranger. If its network then has more than `networkMax`, the first one gives way. */
  add(stranger: Stranger, networkMax: number): void {
    const network = networkOf(stranger.host);
    const group = this.byNetwork.get(network) ?? new Group();
    this.byNetwork.set(network, group);
    this.all.silent.add(stranger);
    group.silent.add(stranger);
    if (group.size > networkMax) this.dismiss(group.first!);
  }

  /** A stranger sent its first bytes. Does nothing with anybody else. */
  spoke(stranger: Stranger): void {
    if (!this.all.silent.delete(stranger)) return;
    const group = this.byNetwork.get(networkOf(stranger.host))!;
    group.silent.delete(stranger);
    this.all.spoken.add(stranger);
    group.spoken.add(stranger);
  }

  /** Somebody is no stranger any more, or has left. Does nothing with anybody else. */
  delete(stranger: Stranger): void {
    if (!this.all.delete(stranger)) return;
    const network = networkOf(stranger.host);
    const group = this.byNetwork.get(network)!;
    group.delete(stranger);
    if (group.size === 0) this.byNetwork.delete(network);
  }

  /** Lets one stranger give way. Answers false if there is none. */
  makePlace(): boolean {
    const { first } = this.all;
    if (first === undefined) return false;
    this.dismiss(first);
    return true;
  }

  private dismiss(stranger: Stranger): void {
    this.delete(stranger);
    stranger.giveWay();
  }
}
