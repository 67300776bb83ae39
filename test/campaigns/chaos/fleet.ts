/** Nodes of one cluster as real processes, each with a network of its own to a real store. */

import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { PostgresServer } from "../../../testkit/postgres.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { EtcdCluster } from "../../support/etcd.ts";
import { FragileLink } from "../../support/fragile-link.ts";

/** A store that real nodes share, and what can happen to it. */
export interface RealStore {
  readonly title: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Where it listens. */
  readonly ports: readonly number[];
  /** Its URL, where its ports are reached at others. */
  url(ports: readonly number[]): string;
  /** All of it, or the part that leads, is killed, and comes back a while later. */
  crash(forMs: number): Promise<void>;
  /** A dump or snapshot, as its own tools make it; what it answers puts that back. */
  save(): Promise<() => Promise<void>>;
}

export class RealPostgres implements RealStore {
  readonly title = "PostgreSQL";
  private readonly server = new PostgresServer();

  get ports(): readonly number[] {
    return [this.server.port];
  }

  url([port]: readonly number[]): string {
    return this.server.url.replace(`:${this.server.port}/`, `:${port}/`);
  }

  start(): Promise<void> {
    return this.server.start();
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  save(): Promise<() => Promise<void>> {
    return this.server.dump();
  }

  async crash(forMs: number): Promise<void> {
    await this.server.stop("SIGQUIT");
    await Bun.sleep(forMs);
    await this.server.start();
  }
}

export class RealEtcd implements RealStore {
  readonly title = "etcd, three members";
  private readonly cluster = new EtcdCluster(3);

  get ports(): readonly number[] {
    return this.cluster.clientPorts;
  }

  url(ports: readonly number[]): string {
    return `etcd://${ports.map((port) => `127.0.0.1:${port}`).join(",")}`;
  }

  start(): Promise<void> {
    return this.cluster.start();
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }

  save(): Promise<() => Promise<void>> {
    return this.cluster.snapshot();
  }

  async crash(forMs: number): Promise<void> {
    const leader = await this.cluster.leader();
    await this.cluster.kill(leader);
    await Bun.sleep(forMs);
    this.cluster.startMember(leader);
    await this.cluster.healthy(leader);
  }
}

/** A node of the fleet, over all its lives. */
export class FleetNode {
  readonly dataDir = join(temporaryFolder(), "data");
  /** Between it and the store. */
  readonly links: readonly FragileLink[];
  /** What its lives before this one logged. */
  logBefore = "";
  server: ServerProcess | undefined;
  private readonly url: string;

  constructor(store: RealStore) {
    this.links = store.ports.map((port) => new FragileLink(port));
    this.url = store.url(this.links.map(({ port }) => port));
  }

  get log(): string {
    return this.logBefore + (this.server?.log ?? "");
  }

  async start(): Promise<void> {
    this.server = await ServerProcess.start({
      dataDir: this.dataDir,
      args: ["-store", this.url],
    });
  }

  /** Ends this life; answers the exit status. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    const { server } = this;
    this.server = undefined;
    const status = await server!.end(signal);
    this.logBefore += server!.log;
    return status;
  }
}
