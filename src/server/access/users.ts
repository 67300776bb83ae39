/**
 * Who may do what: the users, their passwords and their rights.
 *
 * Passwords are known here only as SHA-256 and compared in constant time. A wrong one is answered
 * late, and only so many of one address are looked at meanwhile: that is what makes guessing slow.
 */

import { timingSafeEqual } from "node:crypto";
import { Refusal } from "../../base/errors.ts";
import { DEFAULT_USER } from "../../config/load.ts";
import { type Config, type Right, rights, rightsIn } from "../../config/settings.ts";
import { toBytes } from "../../dispenser/name.ts";
import { Pattern } from "../../resp/glob.ts";

/** A wrong password is answered so late. */
const WRONG_ANSWERED_AFTER_MS = 1000;
/** While so many of one address wait for that answer, no password of that address is looked at. */
const WRONG_WAITING_MAX = 16;

export class User {
  readonly name: string;
  /** Whether it may take of every name, which the fast way of GET asks. */
  readonly mayTakeAny: boolean;
  private readonly rights: ReadonlySet<Right>;
  /** Undefined: every name. */
  private readonly names: readonly Pattern[] | undefined;

  constructor(name: string, granted: readonly Right[], names: readonly string[]) {
    this.name = name;
    this.rights = new Set(granted.flatMap((right) => [right, ...(rightsIn[right] ?? [])]));
    const isAll = names.includes("*");
    // Names arrive as byte strings, settings as text.
    this.names = isAll ? undefined : names.map((pattern) => new Pattern(toBytes(pattern)));
    this.mayTakeAny = isAll && this.rights.has("take");
  }

  /**
   * Why it may not run a command that needs this right for these names, given as byte strings;
   * undefined where it may.
   */
  refuse(command: string, right: Right | undefined, names: readonly string[]): Refusal | undefined {
    if (right !== undefined && !this.rights.has(right)) {
      return new Refusal(
        `NOPERM User '${this.name}' may not run '${command}': that needs the right '${right}'`,
      );
    }
    if (this.names === undefined || names.every((name) => this.mayUse(name))) return undefined;
    return new Refusal(`NOPERM User '${this.name}' may not use one of these names`);
  }

  /** Whether it may use every name there is and will be. */
  get mayUseAll(): boolean {
    return this.names === undefined;
  }

  /** Whether it may use a name, given as a byte string. */
  mayUse(name: string): boolean {
    return this.names?.some((pattern) => pattern.matches(name)) ?? true;
  }
}

/** What became of a try to log in. */
export type LogIn =
  | { readonly user: User }
  /** A wrong one, which counts as waiting until `answered` is called. */
  | { readonly wrong: true; readonly answerAfterMs: number; readonly answered: () => void }
  | { readonly tooMany: true };

export class Access {
  /** Who a new connection is; undefined where it has to log in first. */
  readonly anonymous: User | undefined;
  /** Whether the default user has a password. */
  readonly hasDefaultPassword: boolean;
  private readonly users = new Map<string, { user: User; passwordHash: Buffer }>();
  private readonly waiting = new Map<string, number>();

  /** Once there is a password or a user, everybody has to log in. */
  constructor({ requirepass, users }: Pick<Config, "requirepass" | "users">) {
    const everybody = new User(DEFAULT_USER, rights, ["*"]);
    this.hasDefaultPassword = requirepass !== undefined;
    this.anonymous = requirepass === undefined && users.length === 0 ? everybody : undefined;
    if (requirepass !== undefined) {
      this.users.set(DEFAULT_USER, { user: everybody, passwordHash: requirepass });
    }
    for (const { name, passwordHash, rights: granted, names } of users) {
      this.users.set(name, { user: new User(name, granted, names), passwordHash });
    }
  }

  /** Whether there is such a user. */
  knows(name: string): boolean {
    return this.users.has(name) || name === this.anonymous?.name;
  }

  /** Tries a name and a password, given as byte strings, for a client of this address. */
  logIn(name: string, password: string, host: string): LogIn {
    // As in Redis, the default user without a password may have any.
    if (name === DEFAULT_USER && this.anonymous !== undefined) return { user: this.anonymous };
    const waiting = this.waiting.get(host) ?? 0;
    if (waiting >= WRONG_WAITING_MAX) return { tooMany: true };
    const found = this.users.get(name);
    const given = new Bun.CryptoHasher("sha256").update(Buffer.from(password, "latin1")).digest();
    // A name that is not there takes as long as one that is.
    const isRight = timingSafeEqual(given, found?.passwordHash ?? Buffer.alloc(given.length));
    if (isRight && found !== undefined) return { user: found.user };
    this.waiting.set(host, waiting + 1);
    const answered = () => {
      const left = (this.waiting.get(host) ?? 1) - 1;
      if (left === 0) this.waiting.delete(host);
      else this.waiting.set(host, left);
    };
    return { wrong: true, answerAfterMs: WRONG_ANSWERED_AFTER_MS, answered };
  }
}
