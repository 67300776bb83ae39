/**
 * The dispensers of a node that is alone, or that has a stripe of every line: the engine's, by
 * their names.
 */

import { quoted, Refusal, refusePastEnd } from "../base/errors.ts";
import { type Definition, hasGrown, isBehindLast, isSame } from "../dispenser/definition.ts";
import { refuseFormat, refuseMemory } from "../dispenser/deleted.ts";
import type { Dispenser } from "../dispenser/dispenser.ts";
import { define, defineBeside, drawnField, type Fields, redefine } from "../dispenser/fields.ts";
import { invalidName, isName } from "../dispenser/name.ts";
import type { Catalog, InfoFields } from "./catalog.ts";
import type { Engine } from "./engine.ts";

export class LocalCatalog implements Catalog {
  readonly isShared = false;
  readonly sharing = undefined;
  private readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  prepare(): undefined {
    return undefined;
  }

  define(name: string, fields: Fields, reuse = false): number | Refusal {
    if (!isName(name)) return invalidName(name);
    const present = this.engine.find(name);
    if (present !== undefined) return this.redefine(present, fields, reuse);
    const definition = this.newDefinition(name, fields, reuse);
    if (definition instanceof Refusal) return definition;
    const refusal = this.engine.refuseNew(name) ?? this.createOrContinue(name, definition, reuse);
    return refusal ?? fields.size;
  }

  private newDefinition(name: string, fields: Fields, reuse: boolean): Definition | Refusal {
    const { engine } = this;
    const drawn = drawnField(fields);
    if (drawn === undefined) return define(fields);
    if (engine.isStriped) {
      return new Refusal(
        `ERR ${drawn} field is required on a node that shares lines by -node: each node would draw another, and their ` +
          "codes would meet. Give the same on all nodes",
      );
    }
    return defineBeside(fields, reuse ? [] : engine.deleted.definitionsOf(name));
  }

  /** A new line, or a deleted one that goes on. Answers why it may be neither. */
  private createOrContinue(
    name: string,
    definition: Definition,
    reuse: boolean,
  ): Refusal | undefined {
    const { engine } = this;
    const id = engine.lastId + 1;
    const kept = reuse ? undefined : engine.deleted.continued(name, definition);
    if (kept instanceof Refusal) return kept;
    engine.create(id, name, definition, kept);
    if (reuse) engine.deleted.forget(name);
    else if (kept !== undefined) engine.deleted.forget(name, definition);
    return undefined;
  }

  /**
   * Why a name may not be defined so, as its deleted lines may have handed out the same numbers.
   */
  refuseMet(name: string, definition: Definition): Refusal | undefined {
    const kept = this.engine.deleted.continued(name, definition);
    return kept instanceof Refusal ? kept : undefined;
  }

  private redefine(dispenser: Dispenser, fields: Fields, reuse: boolean): number | Refusal {
    const { name, definition: before, position, counts } = dispenser;
    // Texts may be in use that this folder does not count: of another node, or from before a restore.
    const isInUse = position > 0n || this.engine.isStriped;
    const definition = redefine(name, before, fields);
    if (definition instanceof Refusal) return definition;
    if (isSame(definition, before)) return 0;
    const { deleted } = this.engine;
    const grows = hasGrown(before, definition);
    if (!reuse) {
      const refusal =
        refuseMemory(name, before, definition, counts.generated > 0n) ??
        refuseFormat(name, before, definition, isInUse) ??
        (grows ? deleted.refuseGrowth(name, definition, position) : undefined);
      if (refusal !== undefined) return refusal;
    } else if (grows) deleted.forget(name);
    this.engine.redefine(dispenser, definition);
    return 0;
  }

  remove(names: readonly string[]): readonly Dispenser[] {
    return names.flatMap((name) => this.removeOne(name) ?? []);
  }

  private removeOne(name: string): Dispenser | undefined {
    const { engine } = this;
    const dispenser = engine.find(name);
    if (dispenser === undefined) return undefined;
    engine.remove(dispenser);
    engine.deleted.keep(dispenser, engine.limits);
    return dispenser;
  }

  advance(dispenser: Dispenser, number: string): string | Refusal {
    const { engine } = this;
    const { definition, name } = dispenser;
    const { series } = definition;
    const { allocation } = engine.upcoming(dispenser);
    const target = series.positionFrom(number, allocation.period);
    if (target instanceof Refusal) return target;
    const position = allocation.countBelow(target);
    if (position <= dispenser.position) {
      return engine.nextBytes(dispenser) > 0 ? engine.next(dispenser) : engine.exhausted(dispenser);
    }
    if (position >= allocation.size(series.positions) && !isBehindLast(definition, target)) {
      return refusePastEnd(name, number);
    }
    engine.periods.begin(dispenser);
    engine.advanceTo(dispenser, position);
    return engine.next(dispenser);
  }

  verify(dispenser: Dispenser, position: bigint, period: number): boolean | Refusal {
    const { allocation, definition, name } = dispenser;
    const { start } = allocation;
    const local = allocation.countBelow(position) - start;
    if (allocation.countBelow(position + 1n) - start === local) {
      return new Refusal(
        `ERR another node hands out this number, and alone knows of it: ${quoted(name)}`,
      );
    }
    const { run } = dispenser;
    if (run === undefined) return local < dispenser.position - start;
    if (period < run.knownFrom) {
      return new Refusal(
        `ERR cannot tell: what ${quoted(name)} handed out before ${definition.format!.periods!.text(run.knownFrom)} is not ` +
          "known, because the line was deleted meanwhile, or in memory",
      );
    }
    return local < this.engine.periods.passedIn(dispenser, period);
  }

  goBack(dispenser: Dispenser, period: number): Refusal | undefined {
    return this.engine.periods.goBack(dispenser, period);
  }

  describe(): InfoFields {
    return {};
  }

  describeAtOnce(): InfoFields {
    return {};
  }
}
