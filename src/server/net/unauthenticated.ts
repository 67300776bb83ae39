/**
 * Those who are connected and have not shown who they are: clients that have not logged in, and
 * sockets whose TLS handshake is not over. They give way: where there is no place left, the oldest
 * of them that never sent anything is closed first.
 */

import { networkOf } from "../session/peer.ts";

export interface Unauthenticated {
  /** The client's host without the port. */
  readonly host: string;
  /** Ends the connection. */
  giveWay(): void;
}

/** Some of them, oldest first. */
class Group {
  readonly silent = new Set<Unauthenticated>();
  readonly spoken = new Set<Unauthenticated>();

  get size(): number {
    return this.silent.size + this.spoken.size;
  }

  get first(): Unauthenticated | undefined {
    for (const client of this.silent) return client;
    for (const client of this.spoken) return client;
    return undefined;
  }

  /** Removes a client. Answers whether it was there. */
  delete(client: Unauthenticated): boolean {
    return this.silent.delete(client) || this.spoken.delete(client);
  }
}

export class UnauthenticatedClients {
  private readonly all = new Group();
  private readonly byNetwork = new Map<string, Group>();

  get size(): number {
    return this.all.size;
  }

  /** Adds a client. If its network has `networkMax` already, the first of those gives way. */
  add(client: Unauthenticated, networkMax: number): void {
    const network = networkOf(client.host);
    const before = this.byNetwork.get(network);
    if (before !== undefined && before.size >= networkMax) this.dismiss(before.first!);
    const group = this.byNetwork.get(network) ?? new Group();
    this.byNetwork.set(network, group);
    this.all.silent.add(client);
    group.silent.add(client);
  }

  /** A client sent its first bytes. Does nothing with one that is not here. */
  spoke(client: Unauthenticated): void {
    if (!this.all.silent.delete(client)) return;
    const group = this.byNetwork.get(networkOf(client.host))!;
    group.silent.delete(client);
    this.all.spoken.add(client);
    group.spoken.add(client);
  }

  /** A client has logged in, or left. Does nothing with one that is not here. */
  delete(client: Unauthenticated): void {
    if (!this.all.delete(client)) return;
    const network = networkOf(client.host);
    const group = this.byNetwork.get(network)!;
    group.delete(client);
    if (group.size === 0) this.byNetwork.delete(network);
  }

  /** Lets one client give way. Answers false if there is none. */
  makePlace(): boolean {
    const { first } = this.all;
    if (first === undefined) return false;
    this.dismiss(first);
    return true;
  }

  private dismiss(client: Unauthenticated): void {
    this.delete(client);
    client.giveWay();
  }
}
