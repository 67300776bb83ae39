/**
 * Mutations of the cluster, each a small change of its text that a slip could make. The
 * simulation has to catch every one.
 */

import type { Change } from "../../support/program-copy.ts";
import type { Subject } from "./simulate.ts";

export interface ClusterMutation extends Change {
  readonly title: string;
  /** Caught by something else than a number that came twice, or out of order. */
  readonly caughtBy?: "another check";
  /** In which histories; in those of everything by default. */
  readonly subject?: Subject;
}

export const clusterMutations: readonly ClusterMutation[] = [
  {
    title: "a lease does not move the line on",
    file: "src/cluster/lines/leasing.ts",
    find: "const rest = { ...counter, next: counter.next + count };",
    replace: "const rest = counter;",
  },
  {
    title: "a lease that lost a race is taken for one that won",
    file: "src/cluster/stores/monotonic.ts",
    find: "if ((await this.write({ guards, puts, removes })) !== undefined) return result;",
    replace: "await this.write({ guards, puts, removes });\n      return result;",
    caughtBy: "another check",
  },
  {
    title: "a copied folder goes on as the node it was",
    file: "src/cluster/node/membership.ts",
    find: "if (!isSameFolder(membership.folderFingerprint, here)) {",
    replace: "if (false) {",
    caughtBy: "another check",
  },
  {
    title: "an older folder goes on as the node it was",
    file: "src/cluster/node/membership.ts",
    find: "nonce === record.nonce)) return undefined;",
    replace: "nonce === record.nonce || true)) return undefined;",
  },
  {
    title: "a folder that became another node's keeps its runs",
    file: "src/cluster/entry.ts",
    find: "      engine.remove(dispenser);\n      engine.create(id, name, definition);\n",
    replace: "",
    caughtBy: "another check",
  },
  {
    title: "a node does not look whether its own row is as it left it",
    file: "src/cluster/stores/fenced.ts",
    find: "nonce === record.nonce)) return record;",
    replace: "nonce === record.nonce || true)) return record;",
    subject: "going back",
  },
  {
    title: "what one node noticed is not told to the others",
    file: "src/cluster/node/membership.ts",
    find: "encode({ ...own, mark } satisfies ClusterRecord)",
    replace: "encode({ ...own } satisfies ClusterRecord)",
    subject: "going back",
  },
  {
    title: "what another node noticed is not heard",
    file: "src/cluster/stores/fenced.ts",
    find: "const why = doubt ?? cluster.mark;",
    replace: "const why = doubt;",
    subject: "going back",
  },
  {
    title: "a node leases before the members have confirmed their rows",
    file: "src/cluster/stores/fenced.ts",
    find: "return this.confirmed !== undefined;",
    replace: "return true;",
    subject: "going back",
  },
  {
    title: "a roll call waits for nobody",
    file: "src/cluster/node/roll-call.ts",
    find: "if ((isKnownTerm && !isWaitedFor) || (looks > 2 && beganMs >= untilMs)) {",
    replace: "{",
    subject: "going back",
  },
  {
    title: "what is handed back is kept as well",
    file: "src/cluster/lines/leasing.ts",
    find: "first: back.first + count, count: back.count - count",
    replace: "first: back.first, count: back.count - count + 1n",
  },
  {
    title: "a node takes what was handed back behind what it passed",
    file: "src/cluster/lines/leasing.ts",
    find: "findIndex(({ first }) => first >= passed)",
    replace: "findIndex(() => true)",
    caughtBy: "another check",
  },
  {
    title: "ADVANCE leaves the runs of nodes as they are",
    file: "src/cluster/lines/catalog.ts",
    find: "if (floor > 0n) engine.skipBelow(engine.find(name)!, floor, period);",
    replace: "",
  },
  {
    title: "what is saved at once says that names are known which are not on disk yet",
    file: "src/cluster/node/state.ts",
    find: "const durable = { ...this.durable, ...this.known, ...changes };",
    replace: "const durable = { ...this.membership, ...changes };",
    caughtBy: "another check",
  },
  {
    title: "a line that goes on after DEL begins at its start",
    file: "src/cluster/lines/catalog.ts",
    find: "{ next: same.position, ...countersIn(same.record) }",
    replace: "{ next: 0n }",
  },
  {
    title: "a lease is not written to the disk",
    file: "src/storage/rows.ts",
    find: "statements.addRun.run(id, last.local, last.first, last.first + last.count - 1n);",
    replace: "",
    caughtBy: "another check",
  },
  {
    title: "numbers of one period are handed out in another",
    file: "src/engine/periods.ts",
    find: "    if (period === dispenser.allocation.period) {\n      return this.change",
    replace: "    if (dispenser.allocation.period !== NO_PERIOD) {\n      return this.change",
    caughtBy: "another check",
  },
  {
    title: "the counter of a period is forgotten when another one is leased of",
    file: "src/cluster/lines/counters.ts",
    find: "const others = periods.filter((each) => each.period !== period);",
    replace: "const others: PeriodCounter[] = [];",
    caughtBy: "another check",
  },
  {
    title: "a node with a clock far behind leases of periods that are forgotten",
    file: "src/cluster/lines/leasing.ts",
    find: "Math.max(wish, line.since ?? wish)",
    replace: "wish",
    caughtBy: "another check",
  },
  {
    title: "what is leased ahead is returned as numbers of the present period",
    file: "src/cluster/admin/leave.ts",
    find: "period: ahead.period, ranges: left(ahead)",
    replace: "period, ranges: left(ahead)",
    caughtBy: "another check",
  },
  {
    title: "cluster advance leaves the periods as they are",
    file: "src/cluster/lines/counters.ts",
    find: "    ...(periods !== undefined && { periods }),\n    margin:",
    replace: "    margin:",
    subject: "going back",
  },
  {
    title: "a request that failed leaves no doubt about the store",
    file: "src/cluster/stores/fenced.ts",
    find: "onFailed(): void {\n    this.doubt();",
    replace: "onFailed(): void {",
    subject: "going back",
  },
];
