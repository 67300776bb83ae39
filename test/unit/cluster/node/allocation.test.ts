import { expect, test } from "bun:test";
import { allocationOf } from "../../../../src/cluster/node/allocation.ts";
import type { Membership, StoredNodeState } from "../../../../src/cluster/node/state.ts";
import { nothingLeased, Striped, wholeLine } from "../../../../src/dispenser/allocation.ts";

const membership = { cluster: "c" } as Membership;
const member: StoredNodeState = { membership };
const placed: StoredNodeState = { stripe: "2/3" };
const share = (settings: { store?: string; node?: string }, state: StoredNodeState, size = 0) =>
  allocationOf({ store: "", node: "", ...settings }, state, size);

test("a node alone has whole lines, one with a place every n-th run, a member what it leases", () => {
  expect(share({}, {}, 5)).toBe(wholeLine);
  expect(share({ store: "etcd://x:1" }, {})).toBe(nothingLeased);
  expect(share({ store: "etcd://x:1" }, member, 5)).toBe(nothingLeased);
  expect(share({ node: "2/3" }, {})).toEqual(new Striped(2, 3));
  expect(share({ node: "2/3" }, placed, 5)).toEqual(new Striped(2, 3));
});

test.each([
  [
    "a member without its store",
    {},
    member,
    5,
    /belongs to cluster c: .* storage.store \(-store\)/,
  ],
  ["a member with a place", { node: "1/2" }, member, 5, /belongs to cluster c/],
  ["another place", { node: "1/3" }, placed, 5, /that of node 2\/3: .* and not '1\/3'/],
  ["no place any more", {}, placed, 5, /that of node 2\/3/],
  ["a store after a place", { store: "etcd://x:1" }, placed, 0, /that of node 2\/3/],
  ["a place after lines of its own", { node: "1/3" }, {}, 5, /needs a folder of its own/],
  ["a store after lines of its own", { store: "etcd://x:1" }, {}, 5, /cluster join/],
  [
    "one that is on its way",
    { store: "etcd://x:1" },
    { joining: { cluster: "c", node: "n", base: 0 } },
    5,
    /run 'number-dispenser cluster join' again/,
  ],
] as const)("%s is refused", (_, settings, state, size, reason) => {
  expect(() => share(settings, state, size)).toThrow(reason);
});
