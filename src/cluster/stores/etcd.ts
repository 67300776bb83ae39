/**
 * The lease store on etcd, through the JSON gateway of its version 3 (etcd.io, "gRPC gateway"). A
 * write is one transaction that compares the revisions of its guards.
 */

import { inBatches } from "../../base/batches.ts";
import { CannotStart } from "../../base/errors.ts";
import { EtcdGateway } from "./etcd-gateway.ts";
import type { EtcdOptions } from "./etcd-url.ts";
import type { LeaseStore, Row, Snapshot, StoreVersion, Write } from "./store.ts";

/** etcd allows 128 operations in a transaction (--max-txn-ops). */
const OPERATIONS_MAX = 128;
/** Rows asked for at a time, because the size of an answer is limited. */
const PAGE_ROWS = 1000;
/** A member is asked for the length of its log at most this often, and after each failure. */
const STATUS_MS = 300;
/** The key of the lowest drift seen. It is not one of the rows. */
const ORIGIN = "origin";
/**
 * The lowest drift is stored again only after it fell by this much, not with every entry of the
 * log.
 */
const DRIFT_STEP = 100n;
/** Half of the size at which etcd by default refuses writes (--quota-backend-bytes). */
const WARNED_BYTES = 2 ** 30;
/**
 * First parts of the keys of rows: a prefix that continues another one with such a part lies among
 * its rows.
 */
const ROW_FOLDERS = ["name", "line", "node", "figure", "deleted"];
/** How often a drift is measured again if it is too high or is to be stored. */
const DRIFT_TRIES = 5;

interface KeyValue {
  readonly key: string;
  readonly value?: string;
  readonly mod_revision: string;
}

interface Header {
  readonly cluster_id: string;
  readonly revision: string;
  readonly raft_term: string;
}

interface Answer {
  readonly header: Header;
  readonly succeeded?: boolean;
  readonly responses?: readonly {
    readonly response_range?: { readonly kvs?: readonly KeyValue[] };
  }[];
  readonly kvs?: readonly KeyValue[];
  readonly more?: boolean;
}

/** A member's status (etcd's rpc.proto, StatusResponse). */
interface Status {
  readonly header: Header;
  readonly raftIndex: string;
  /** Missing before version 3.4. */
  readonly raftAppliedIndex?: string;
  /** The bytes of its file, and how many of them are in use. */
  readonly dbSize?: string;
  readonly dbSizeInUse?: string;
}

export class EtcdStore implements LeaseStore {
  readonly title: string;
  private readonly options: EtcdOptions;
  private readonly gateway: EtcdGateway;
  /** The member that was last asked for its status, and when. */
  private readonly askedStatus = { endpoint: "", atMs: Number.NEGATIVE_INFINITY };
  private isRestored = false;
  warning: string | undefined;

  constructor(options: EtcdOptions) {
    this.options = options;
    this.gateway = new EtcdGateway(options);
    this.gateway.onMemberFailed = () => {
      this.askedStatus.atMs = Number.NEGATIVE_INFINITY;
    };
    const hosts = options.endpoints.map((endpoint) => endpoint.replace(/^https?:\/\//, ""));
    this.title = `etcd://${hosts.join(",")}/${options.prefix.slice(0, -1)}`;
  }

  /** The time in the header of an answer (Date, RFC 9110), which has whole seconds. */
  async clockMs(): Promise<number> {
    await this.gateway.ask<Status>("/v3/maintenance/status", {}, true);
    return this.gateway.answeredAtMs + 500;
  }

  async read(keys: readonly string[]): Promise<Snapshot> {
    const rows = new Map<string, Row>();
    const checked = this.checkOrigin();
    // If a read below fails first, nobody awaits this promise: its rejection must not go unhandled.
    checked.catch(() => {});
    let first: Answer | undefined;
    // Without keys one empty request still asks for the version.
    for (const some of keys.length === 0 ? [[]] : inBatches(keys, OPERATIONS_MAX)) {
      const success = some.map((key) => ({ request_range: { key: this.encode(key) } }));
      const answer = await this.gateway.ask<Answer>("/v3/kv/txn", { success }, true);
      for (const { response_range } of answer.responses ?? [])
        this.gather(response_range?.kvs, rows);
      first ??= answer;
    }
    await checked;
    return { version: this.versionOf(first!), rows };
  }

  async list(prefix: string, after = 0n): Promise<Snapshot> {
    const rows = new Map<string, Row>();
    const whole = Buffer.from(this.options.prefix + prefix);
    let key = whole.toString("base64");
    // The first key behind the prefix. The last byte is never 255, because keys are UTF-8.
    whole[whole.length - 1]!++;
    const end = whole.toString("base64");
    let version: StoreVersion | undefined;
    for (;;) {
      const answer = await this.gateway.ask<Answer>(
        "/v3/kv/range",
        {
          key,
          range_end: end,
          limit: String(PAGE_ROWS),
          ...(after > 0n && { min_mod_revision: String(after + 1n) }),
          // All pages are read at the same revision.
          ...(version === undefined ? {} : { revision: String(version.revision) }),
        },
        true,
      );
      version ??= this.versionOf(answer);
      this.gather(answer.kvs, rows);
      const last = answer.kvs?.at(-1);
      if (answer.more !== true || last === undefined) return { version, rows };
      key = Buffer.concat([Buffer.from(last.key, "base64"), Buffer.of(0)]).toString("base64");
    }
  }

  async write({ guards, puts, removes = [], accepts }: Write): Promise<StoreVersion | undefined> {
    if (this.isRestored && !accepts) return undefined;
    const compare = [...guards].map(([key, revision]) => ({
      key: this.encode(key),
      target: "MOD",
      result: "EQUAL",
      mod_revision: String(revision),
    }));
    const success = [
      ...removes.map((key) => ({ request_delete_range: { key: this.encode(key) } })),
      ...[...puts].map(([key, value]) => ({ request_put: this.put(key, value) })),
    ];
    const answer = await this.gateway.ask<Answer>("/v3/kv/txn", { compare, success }, false);
    if (answer.succeeded !== true) return undefined;
    if (accepts) await this.acceptOrigin();
    return this.versionOf(answer);
  }

  /**
   * Detects a restore from a snapshot. Each write is an entry of the log, so the drift, the
   * revision minus the entries, never rises. After a restore the log begins anew while the revision
   * goes on: the drift has risen.
   */
  private async checkOrigin(): Promise<void> {
    const { endpoint } = this.gateway;
    const nowMs = performance.now();
    const { askedStatus: last } = this;
    if (last.endpoint === endpoint && nowMs - last.atMs < STATUS_MS) return;
    Object.assign(last, { endpoint, atMs: nowMs });
    const [measured, { least, revision }] = await Promise.all([this.drift(), this.origin()]);
    let drift = measured;
    // Revision and entries are not read at one instant: only a drift that stays too high counts.
    for (let again = 0; again < DRIFT_TRIES && least !== undefined && drift > least; again++) {
      drift = await this.drift();
    }
    this.isRestored = least !== undefined && drift > least;
    if (least === undefined) await this.refuseInside();
    if (least === undefined || drift <= least - DRIFT_STEP)
      await this.writeOrigin(await this.highestDrift(drift), revision);
  }

  /** Throws CannotStart if this prefix lies among the rows of another cluster. */
  private async refuseInside(): Promise<void> {
    const { prefix } = this.options;
    const parts = prefix.split("/");
    for (const [index, part] of parts.entries()) {
      if (index === 0 || !ROW_FOLDERS.includes(part)) continue;
      const outer = parts.slice(0, index).join("/");
      const key = Buffer.from(`${outer}/cluster`).toString("base64");
      if (((await this.gateway.ask<Answer>("/v3/kv/range", { key }, true)).kvs?.length ?? 0) === 0)
        continue;
      throw new CannotStart(
        `storage.store: the prefix ${prefix.slice(0, -1)} lies among the rows of the cluster that has the prefix ` +
          `${outer}: name another`,
      );
    }
  }

  /**
   * The highest of some measurements: if one that is too low were stored, all later ones would be
   * too high.
   */
  private async highestDrift(drift: bigint): Promise<bigint> {
    let highest = drift;
    for (let again = 0; again < DRIFT_TRIES; again++) {
      const measured = await this.drift();
      if (measured > highest) highest = measured;
    }
    return highest;
  }

  /** Stores the present drift, because an operator accepts the store as it is. */
  private async acceptOrigin(): Promise<void> {
    const { revision } = await this.origin();
    await this.writeOrigin(await this.highestDrift(await this.drift()), revision);
    this.isRestored = false;
  }

  /** The stored drift and the revision of its row. */
  private async origin(): Promise<{ least: bigint | undefined; revision: bigint }> {
    const key = this.encode(ORIGIN);
    const { kvs } = await this.gateway.ask<Answer>("/v3/kv/range", { key }, true);
    const found = kvs?.[0];
    if (found === undefined) return { least: undefined, revision: 0n };
    const text = Buffer.from(found.value ?? "", "base64").toString();
    return { least: BigInt(text), revision: BigInt(found.mod_revision) };
  }

  private async writeOrigin(drift: bigint, revision: bigint): Promise<void> {
    const key = this.encode(ORIGIN);
    const compare = [{ key, target: "MOD", result: "EQUAL", mod_revision: String(revision) }];
    const success = [{ request_put: this.put(ORIGIN, String(drift)) }];
    await this.gateway.ask<Answer>("/v3/kv/txn", { compare, success }, false);
  }

  /** The revision minus the entries of the log. */
  private async drift(): Promise<bigint> {
    const status = await this.gateway.ask<Status>("/v3/maintenance/status", {}, true);
    this.warning = warningOf(status);
    return BigInt(status.header.revision) - BigInt(status.raftAppliedIndex ?? status.raftIndex);
  }

  private put(key: string, value: string) {
    return { key: this.encode(key), value: Buffer.from(value).toString("base64") };
  }

  watch(key: string, onChange: () => void): void {
    void this.gateway.watch(this.encode(key), onChange);
  }

  async close(): Promise<void> {
    this.gateway.close();
  }

  private versionOf({ header }: Answer): StoreVersion {
    return {
      identity: header.cluster_id,
      timeline: "",
      term: header.raft_term,
      revision: BigInt(header.revision),
      isRestored: this.isRestored,
    };
  }

  private gather(found: readonly KeyValue[] | undefined, rows: Map<string, Row>): void {
    for (const { key, value, mod_revision } of found ?? []) {
      rows.set(this.decode(key), {
        value: Buffer.from(value ?? "", "base64").toString(),
        revision: BigInt(mod_revision),
      });
    }
  }

  private encode(key: string): string {
    return Buffer.from(this.options.prefix + key).toString("base64");
  }

  private decode(key: string): string {
    return Buffer.from(key, "base64").toString().slice(this.options.prefix.length);
  }
}

/**
 * Warns of a large database: etcd keeps the old version of each row it writes until it compacts.
 */
function warningOf({ dbSize = "0", dbSizeInUse = "0" }: Status): string | undefined {
  const [bytes, used] = [Number(dbSize), Number(dbSizeInUse)];
  if (bytes < WARNED_BYTES) return undefined;
  const gibibytes = (count: number) => `${(count / 2 ** 30).toFixed(1)} GiB`;
  return (
    `etcd's database has ${gibibytes(bytes)}, of which ${gibibytes(used)} are in use, and etcd refuses writes past ` +
    "its quota (2 GiB by default): start it with --auto-compaction-mode=periodic --auto-compaction-retention=1h, " +
    "and run etcdctl defrag"
  );
}
