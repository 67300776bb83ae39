/** Flags of the benches: one dash or two, a default for each, and one line of usage. */

import { readFlags, refuseFlags } from "../../testkit/flags.ts";

/** Whether the tests run the bench: sizes are then small, and no page is written. */
export const isSmall = process.env.BENCH_SMALL !== undefined;

const COUNT = /^[1-9][0-9]{0,9}$/;

export class Flags<Name extends string> {
  private readonly values: Record<Name, string>;
  private readonly given: Partial<Record<string, string>>;
  private readonly usage: string;
  /** Whether every flag has its default; a page is written only then. */
  readonly areDefaults: boolean;

  /** Ends the process if the command line has other flags than these. */
  constructor(
    script: string,
    defaults: Readonly<Record<Name, string>>,
    switches: readonly string[] = [],
  ) {
    const names = Object.keys(defaults) as Name[];
    const flags = names.map((name) => `[-${name} ${defaults[name] || "…"}]`);
    const all = [...flags, ...switches.map((name) => `[-${name}]`)].join(" ");
    this.usage = `usage: bun run ${script} ${all}`;
    this.given = readFlags<string>(this.usage, names, switches);
    this.values = { ...defaults, ...this.given };
    this.areDefaults = names.every((name) => this.values[name] === defaults[name]);
  }

  /** Whether the switch is given. */
  has(name: string): boolean {
    return this.given[name] !== undefined;
  }

  text(name: Name): string {
    return this.values[name];
  }

  /** The value of a flag, a whole number from 1 on. */
  count(name: Name): number {
    return this.counts(name)[0]!;
  }

  /** The values of a flag, whole numbers from 1 on, with commas between them. */
  counts(name: Name): number[] {
    const words = this.values[name].split(",");
    if (words.every((word) => COUNT.test(word))) return words.map(Number);
    this.refuse(`-${name} must be whole numbers from 1 on, not '${this.values[name]}'`);
  }

  /** The values of a flag, allowed words with commas between them. */
  words<Word extends string>(name: Name, allowed: readonly Word[]): Word[] {
    const words = this.values[name].split(",") as Word[];
    if (words.every((word) => allowed.includes(word))) return words;
    this.refuse(`-${name} must be of ${allowed.join(", ")}, not '${this.values[name]}'`);
  }

  private refuse(reason: string): never {
    return refuseFlags(reason, this.usage);
  }
}

/** Ends the process if the machine lacks one of these programs. */
export function requireTools(...tools: string[]): void {
  const missing = tools.filter((tool) => Bun.which(tool) === null);
  if (missing.length === 0) return;
  console.error(`The bench needs ${missing.join(", ")} (Debian: redis-server, redis-tools).`);
  process.exit(1);
}
