/**
 * The users, their passwords and their rights.
 *
 * Passwords are kept only as SHA-256 and compared in constant time. Many clients may share an
 * address, so a right password is let in however many wrong ones come from there.
 */

import { timingSafeEqual } from "node:crypto";
import { Refusal } from "../../base/errors.ts";
import { DEFAULT_USER } from "../../config/load.ts";
import { type Config, type Right, rights, rightsIn } from "../../config/settings.ts";
import { toBytes } from "../../dispenser/name.ts";
import { Pattern } from "../../resp/glob.ts";
import { CursorCipher } from "./cursors.ts";

export class User {
  readonly name: string;
  /** Whether it may take from every dispenser, which GET on the fast path requires. */
  readonly mayTakeAny: boolean;
  private readonly rights: ReadonlySet<Right>;
  /** The names it may use; undefined for every name. */
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
   * The refusal of a command that needs this right for these names, given as byte strings;
   * undefined if the user may run it.
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

  /** Whether it may use every name, present and future. */
  get mayUseAll(): boolean {
    return this.names === undefined;
  }

  /** Whether it may use a name, given as a byte string. */
  mayUse(name: string): boolean {
    return this.names?.some((pattern) => pattern.matches(name)) ?? true;
  }
}

export class Access {
  /** The user of a new connection; undefined if it has to log in first. */
  readonly anonymous: User | undefined;
  /** Whether the default user has a password. */
  readonly hasDefaultPassword: boolean;
  /** The cursors of users who may use some names alone. */
  readonly cursors: CursorCipher;
  private readonly users = new Map<string, { user: User; passwordHash: Buffer }>();

  /** If the settings have a password or a user, every client has to log in. */
  constructor(
    { requirepass, users }: Pick<Config, "requirepass" | "users">,
    cursors = new CursorCipher(),
  ) {
    this.cursors = cursors;
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

  /** The user of this name, if the password is the one that it had before; otherwise undefined. */
  sameUser(name: string, before: Access): User | undefined {
    if (name === this.anonymous?.name) return this.anonymous;
    const [old, present] = [before.users.get(name), this.users.get(name)];
    const isSame = old !== undefined && present?.passwordHash.equals(old.passwordHash) === true;
    return isSame ? present.user : undefined;
  }

  /** Whether a user of this name exists. */
  knows(name: string): boolean {
    return this.users.has(name) || name === this.anonymous?.name;
  }

  /** The user of a name and a password, given as byte strings; undefined if they are wrong. */
  logIn(name: string, password: string): User | undefined {
    // As in Redis, a default user without a password accepts any password.
    if (name === DEFAULT_USER && this.anonymous !== undefined) return this.anonymous;
    const found = this.users.get(name);
    const given = new Bun.CryptoHasher("sha256").update(Buffer.from(password, "latin1")).digest();
    // An unknown name takes as long to check as a known one.
    const isRight = timingSafeEqual(given, found?.passwordHash ?? Buffer.alloc(given.length));
    return isRight ? found?.user : undefined;
  }
}
