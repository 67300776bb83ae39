/** Which allocation a node has, by its settings and by the node state in its folder. */

import { CannotStart } from "../../base/errors.ts";
import { type Allocation, nothingLeased, Striped, wholeLine } from "../../dispenser/allocation.ts";
import type { StoredNodeState } from "./state.ts";

export interface NodeSettings {
  readonly store: string;
  readonly node: string;
}

/**
 * The allocation of a new dispenser. `size` is how many dispensers the folder has. Throws
 * CannotStart if the folder does not fit the settings.
 */
export function allocationOf(
  { store, node }: NodeSettings,
  state: StoredNodeState,
  size: number,
): Allocation {
  const { stripe, membership, joining } = state;
  if (joining !== undefined) {
    throw new CannotStart(
      "the data folder is on its way into a cluster: run 'number-dispenser cluster join' again",
    );
  }
  if (membership !== undefined && store === "") {
    throw new CannotStart(
      `the data folder belongs to cluster ${membership.cluster}: its numbers are leased from a store, ` +
        "and storage.store (-store) has to name it",
    );
  }
  if (stripe !== undefined && (node !== stripe || store !== "")) {
    const other = store === "" ? `not '${node}'` : "storage.store (-store) is not for it";
    throw new CannotStart(
      `the data folder is that of node ${stripe}: cluster.node (-node) has to be ${stripe}, and ${other}`,
    );
  }
  const isAlone = stripe === undefined && membership === undefined;
  if (isAlone && node !== "" && size > 0) {
    throw new CannotStart(
      `the data folder has ${size} dispensers of a node alone, which count every number: ` +
        `node ${node} needs a folder of its own`,
    );
  }
  if (isAlone && store !== "" && size > 0) {
    throw new CannotStart(
      `the data folder has ${size} dispensers of a node alone: 'number-dispenser cluster join' takes ` +
        "them into the cluster",
    );
  }
  if (store !== "") return nothingLeased;
  if (node === "") return wholeLine;
  const [index, nodes] = node.split("/").map(Number) as [number, number];
  return new Striped(index, nodes);
}
