/**
 * `number-dispenser accept-copy`: makes the place where a data folder is now its home. A node without a lease store warns
 * when its folder is elsewhere, as its twin would hand out the same numbers.
 */

import { CannotStart } from "../base/errors.ts";
import { noteHome } from "../cluster/node/home.ts";
import { openFolder } from "../cluster/open-node.ts";
import type { FolderOptions } from "../storage/folder.ts";
import { requireDatabase } from "./data-folder.ts";

/** Makes the place where the database of a folder is its home. Throws CannotStart. */
export function noteHomeOf(folder: string, options: FolderOptions): void {
  const { store, engine } = openFolder(folder, { ...options, create: false });
  noteHome(store);
  engine.close();
}

/** Answers one line that says what was done. Throws CannotStart. */
export function acceptCopy(dataDir: string, options: FolderOptions): string {
  requireDatabase(dataDir);
  const { store, state, engine } = openFolder(dataDir, { ...options, create: false });
  try {
    const { membership } = state;
    if (membership !== undefined) {
      throw new CannotStart(
        `the data folder belongs to cluster ${membership.cluster}: a copy of it joins that as a node of its own, ` +
          "and needs no word",
      );
    }
    noteHome(store);
  } finally {
    engine.close();
  }
  return `${store.path} is at home here now: never start the one that it is a copy of again`;
}
