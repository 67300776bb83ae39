/**
 * Deliberate breakages of the cluster, each a small change of its text that a slip could make. The
 * simulation has to catch every one.
 */

import type { Change } from "../support/broken-program.ts";

export interface ClusterBreakage extends Change {
  readonly title: string;
  /** Caught by something else than a number that came twice, or out of order. */
  readonly caughtBy?: "another check";
}

export const clusterBreakages: readonly ClusterBreakage[] = [
  {
    title: "a lease does not move the line on",
    file: "src/cluster/leasing.ts",
    find: "rest: { ...line, next: line.next + count } };",
    replace: "rest: { ...line } };",
  },
  {
    title: "a lease that lost a race is taken for one that won",
    file: "src/cluster/history.ts",
    find: "if ((await this.write({ guards, puts })) !== undefined) return result;",
    replace: "await this.write({ guards, puts });\n      return result;",
    caughtBy: "another check",
  },
  {
    title: "a copied folder goes on as the node it was",
    file: "src/cluster/membership.ts",
    find: "if (!isSamePlace(membership.whereabouts, whereabouts)) {",
    replace: "if (false) {",
    caughtBy: "another check",
  },
  {
    title: "an older folder goes on as the node it was",
    file: "src/cluster/membership.ts",
    find: "  if (!isKnown) return",
    replace: "  if (false) return",
  },
  {
    title: "a folder that became another node's keeps its runs",
    file: "src/cluster/standing.ts",
    find: "      engine.remove(name);\n      engine.create(id, name, definition);\n",
    replace: "",
  },
  {
    title: "a store that went back in time goes unnoticed",
    file: "src/cluster/history.ts",
    find: "if (moment.identity !== seen.identity || moment.timeline !== seen.timeline) {",
    replace: "if (false) {",
  },
  {
    title: "what is handed back is kept as well",
    file: "src/cluster/leasing.ts",
    find: "first: back.first + count, count: back.count - count",
    replace: "first: back.first, count: back.count - count + 1n",
  },
  {
    title: "a node takes what was handed back behind what it passed",
    file: "src/cluster/leasing.ts",
    find: "findIndex(({ first }) => first >= passed)",
    replace: "findIndex(() => true)",
    caughtBy: "another check",
  },
  {
    title: "ADVANCE leaves the runs of nodes as they are",
    file: "src/cluster/lines.ts",
    find: "if (record.floor > 0n) engine.moves.skipBelow(engine.find(name)!, record.floor);",
    replace: "",
  },
  {
    title: "what is saved at once says that names are known which are not on disk yet",
    file: "src/cluster/memory.ts",
    find: "const durable = { ...this.durable, ...changes };",
    replace: "const durable = { ...this.membership, ...changes };",
    caughtBy: "another check",
  },
  {
    title: "a lease is not written to the disk",
    file: "src/store/rows.ts",
    find: "this.statements.addRun.run(id, own, first, first + count - 1n);",
    replace: "",
    caughtBy: "another check",
  },
];
