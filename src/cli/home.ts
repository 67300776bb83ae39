/**
 * `number-dispenser accept-copy`: makes the present place of a data folder its home. A node without
 * a lease store warns if its folder is not at home, because the original would hand out the same
 * numbers.
 */

import { CannotStart } from "../base/errors.ts";
import { noteHome } from "../cluster/node/home.ts";
import { openFolder } from "../cluster/open-node.ts";
import type { FolderOptions } from "../storage/folder.ts";
import { requireDatabase } from "./data-folder.ts";

/** Makes the present place of a folder's database its home. Throws CannotStart. */
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
        `the data folder belongs to cluster ${membership.cluster}: a copy of it joins that cluster as another node ` +
          "by itself, without this command",
      );
    }
    noteHome(store);
  } finally {
    engine.close();
  }
  return `${store.path} is at home here now: never start the original that it was copied from again`;
}
