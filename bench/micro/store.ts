/** Dispensers of a real engine over a real store. */

import { Refusal } from "../../src/base/errors.ts";
import type { Dispenser } from "../../src/dispenser/dispenser.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { LocalCatalog } from "../../src/engine/local-catalog.ts";

/** Defines a dispenser, durably. */
export function define(engine: Engine, title: string, fields: Record<string, string>): Dispenser {
  const name = title.replaceAll(/\W/g, "_");
  const set = new LocalCatalog(engine).define(name, new Map(Object.entries(fields)));
  if (set instanceof Refusal) throw new Error(set.message);
  engine.commit();
  return engine.find(name)!;
}
