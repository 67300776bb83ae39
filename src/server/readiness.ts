/**
 * Whether a server should get clients, for those who spread clients over several: balancers. Trouble
 * with the disk of a node is no reason against it: lines in memory and type 1 are still served, and
 * INFO and the log tell of it.
 */

import type { Catalog } from "../engine/catalog.ts";
import type { Engine } from "../engine/engine.ts";

/** What the answer depends on. */
export interface Readiness {
  readonly isStarting: boolean;
  readonly isStopping: boolean;
  readonly catalog: Pick<Catalog, "sharing">;
}

/** Why the server should get no clients now, without what only users may know; undefined if it should. */
export function whyNotReady(
  { isStarting, isStopping, catalog }: Readiness,
  engine: Pick<Engine, "holdsLeases">,
): string | undefined {
  if (isStarting) return "the server is starting";
  if (isStopping) return "the server is stopping";
  if (catalog.sharing?.trouble === undefined || engine.holdsLeases) return undefined;
  return "the lease store cannot be used, and no leased number is left: see INFO cluster";
}
