/** The commands about the server as a whole: INFO, TIME, READY, BACKUP and SHUTDOWN. */

import { isAbsolute } from "node:path";
import { notFound, quoted, reasonOf } from "../../base/errors.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { toBytes, toText } from "../../dispenser/name.ts";
import { isBackupFailure, targetOf } from "../../storage/backup.ts";
import { isInfoSection, MetricSource, sectionsIn } from "../metrics.ts";
import { whyNotReady } from "../readiness.ts";
import { type Call, type Command, waitFor, whenDone } from "./command.ts";
import { describe } from "./dispenser-info.ts";

/**
 * INFO of sections, or of a dispenser: of any by INFO dispenser NAME, and by INFO NAME of one that
 * does not have the name of a section. `isKnown` says that the lease store was asked for it before.
 */
function info(call: Call, isKnown = false): void {
  const { engine, server, session, replies, args } = call;
  const name = dispenserIn(args);
  if (name === undefined) return showSections(call);
  const demand = [{ names: [name], takes: false }];
  const isAsked = isKnown || session.isInTransaction;
  const waits = isAsked ? undefined : server.catalog.prepare(demand, false, session);
  if (waits !== undefined) return whenDone(call, waits, () => info(call, true));
  const dispenser = engine.view(name);
  waitFor(session, engine.dependsOn(name, dispenser));
  if (dispenser === undefined) replies.error(notFound(name).message);
  else describeTo(call, dispenser);
}

/** The name of the dispenser that INFO with these words shows; undefined if it shows sections. */
function dispenserIn([word, name, ...others]: readonly string[]): string | undefined {
  if (word === undefined || others.length > 0) return undefined;
  if (name !== undefined) return word.toLowerCase() === "dispenser" ? name : undefined;
  return isInfoSection(word) ? undefined : word;
}

function showSections({ engine, server, session, replies, args }: Call): void {
  waitFor(session, engine.dependsOnNames());
  const wanted = new Set(args.map((word) => word.toLowerCase()));
  const source = new MetricSource(server, engine, session.user!.mayUseAll);
  replies.verbatim(sectionsIn(wanted, source).join("\r\n"));
}

/**
 * Shows a dispenser, in a cluster with the usage of all nodes; a transaction cannot wait for that.
 */
function describeTo(call: Call, dispenser: Dispenser): void {
  const { engine, server, session, replies } = call;
  const { catalog } = server;
  const described = session.isInTransaction
    ? catalog.describeAtOnce(dispenser)
    : catalog.describe(dispenser);
  whenDone(call, described, (more) => {
    waitFor(session, engine.dependsOn(dispenser.name, dispenser));
    const skipped = engine.skippedByOperator(dispenser);
    replies.verbatim(
      describe(dispenser, engine.upcoming(dispenser), { skipped_by_operator: skipped, ...more }),
    );
  });
}

/** Why this client may not run a command that only the server's owner may run. */
function notTheOwner({ server, session }: Call, command: string): string | undefined {
  // With passwords every client has logged in, and its right was checked before.
  if (session.isLocal || server.access.anonymous === undefined) return undefined;
  return `NOPERM ${command} is only for clients on the server's machine while no password is set`;
}

function backUp(call: Call): void {
  const { engine, server, session, replies, args } = call;
  const refusal = notTheOwner(call, "BACKUP");
  if (refusal !== undefined) return replies.error(refusal);
  const path = toText(args[0]!);
  if (!isAbsolute(path) || path.includes("\0") || toBytes(path) !== args[0]) {
    return replies.error(`ERR BACKUP needs an absolute path in UTF-8, not ${quoted(args[0]!)}`);
  }
  const copy = async () => {
    // Changes staged before this command are committed at the end of its turn.
    await new Promise((resolve) => void setImmediate(resolve));
    try {
      await engine.backUp(targetOf(path, server.config.backupDir));
      server.audit.note(session, "backup made", { path });
      return () => replies.simple("OK");
    } catch (error) {
      if (!isBackupFailure(error)) throw error;
      return () => replies.error(`ERR cannot back up to ${quoted(args[0]!)}: ${reasonOf(error)}`);
    }
  };
  session.block(copy());
}

function shutDown(call: Call): void {
  const { server, session, replies, args } = call;
  const refusal = notTheOwner(call, "SHUTDOWN");
  if (refusal !== undefined) return replies.error(refusal);
  if (args.length > 1 || (args.length === 1 && args[0]!.toLowerCase() !== "save")) {
    return replies.error("ERR syntax error: SHUTDOWN takes only SAVE; positions are always saved");
  }
  // As in Redis, there is no reply: the connection ends with the server.
  server.audit.note(session, "shutdown asked for", {});
  server.shutdown(`SHUTDOWN from ${session.address}`);
}

/** How far the wall clock may be off the finer one before that follows it. */
const WALL_OFF_MS_MAX = 2;
let startedAtWallMs = performance.timeOrigin;

/**
 * The wall clock in microseconds. performance.now() is finer than Date.now(), but does not follow a
 * clock that somebody sets.
 */
function wallMicroseconds(): number {
  const nowMs = performance.now();
  const wallMs = Date.now();
  if (Math.abs(startedAtWallMs + nowMs - wallMs) > WALL_OFF_MS_MAX)
    startedAtWallMs = wallMs - nowMs;
  return Math.floor((startedAtWallMs + nowMs) * 1000);
}

export const serverCommands: readonly Command[] = [
  {
    name: "info",
    arity: -1,
    flags: ["loading", "stale"],
    keys: [0, 0],
    group: "server",
    needsMore: (args) => {
      const name = dispenserIn(args);
      return name === undefined ? undefined : { what: "info", right: "inspect", names: [name] };
    },
    summary: "Shows a dispenser's figures, or the server's sections",
    run: (call) => info(call),
  },
  {
    name: "time",
    arity: 1,
    flags: ["fast", "loading", "stale"],
    keys: [0, 0],
    group: "server",
    summary: "Shows the server's clock: seconds and microseconds",
    run: ({ replies }) => {
      const microseconds = wallMicroseconds();
      replies.array(2);
      replies.bulk(String(Math.floor(microseconds / 1_000_000)));
      replies.bulk(String(microseconds % 1_000_000));
    },
  },
  {
    name: "ready",
    arity: 1,
    flags: ["fast", "loading", "stale", "no_auth"],
    keys: [0, 0],
    group: "server",
    summary: "Says whether a balancer should send clients here, without a log-in",
    run: ({ engine, server, replies }) => {
      const reason = whyNotReady(server, engine);
      if (reason === undefined) replies.simple("READY");
      else replies.error(`NOTREADY ${reason}`);
    },
  },
  {
    name: "backup",
    arity: 2,
    flags: ["admin", "noscript", "no_multi"],
    keys: [0, 0],
    group: "server",
    right: "admin",
    summary: "Copies the database to a new file, which restore takes",
    run: backUp,
  },
  {
    name: "shutdown",
    arity: -1,
    flags: ["admin", "noscript", "loading", "stale", "no_multi"],
    keys: [0, 0],
    group: "server",
    right: "admin",
    summary: "Saves positions and stops the server",
    run: shutDown,
  },
];
