/** SIGHUP: what may change while the server runs is taken over from settings that were read again. */

import type { Log } from "../base/log.ts";
import { type Config, settings } from "../config/settings.ts";
import { Access } from "./access/users.ts";
import type { Session } from "./commands/command.ts";

type Key = keyof typeof settings;

/** What differs between two readings of the settings. */
export interface Differences {
  /** Settings that may change while the server runs, with their new values. */
  readonly live: Partial<Config>;
  /** The paths of the others. */
  readonly fixed: readonly string[];
  /** Whether users or passwords differ. */
  readonly hasOtherUsers: boolean;
}

export function differences(before: Config, after: Config): Differences {
  const differ = (key: keyof Config) => !Bun.deepEquals(before[key], after[key]);
  const changed = (Object.keys(settings) as Key[]).filter(
    (key) => key !== "requirepass" && differ(key),
  );
  const isLive = (key: Key) => "isLive" in settings[key] && settings[key].isLive === true;
  return {
    live: Object.fromEntries(changed.filter(isLive).map((key) => [key, after[key]])),
    fixed: changed.filter((key) => !isLive(key)).map((key) => settings[key].path),
    hasOtherUsers: differ("users") || differ("requirepass"),
  };
}

/**
 * Gives each client the rights that its user has by now. Who was removed or has another password
 * loses the connection; everybody else stays.
 */
export function changeUsers(sessions: Iterable<Session>, before: Access, after: Access): void {
  for (const session of sessions) {
    const { user } = session;
    const present = user === undefined ? after.anonymous : after.sameUser(user.name, before);
    if (present !== undefined) session.user = present;
    else if (user !== undefined) session.end("its user was removed, or has another password");
  }
}

/** The users of other settings; what a client got from the ones before stays valid. */
export function accessOf(config: Config, before: Access): Access {
  return new Access(config, before.cursors);
}

/** Logs what was taken over. */
export function logReload(log: Log, { live, fixed, hasOtherUsers }: Differences): void {
  const changed = (Object.keys(live) as Key[]).map((key) => settings[key].path);
  if (hasOtherUsers) changed.push("access");
  log.info("settings read again", { changed: changed.join(" ") || "nothing" });
  if (fixed.length > 0) log.warning("settings that need a restart", { reason: fixed.join(" ") });
}
