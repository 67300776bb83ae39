/** The commands about the server as a whole: INFO, TIME, READY, BACKUP and SHUTDOWN. */

import { isAbsolute } from "node:path";
import { notFound, quoted, reasonOf } from "../../base/errors.ts";
import type { Dispenser } from "../../dispenser/dispenser.ts";
import { toBytes, toText } from "../../dispenser/name.ts";
import { isBackupFailure, targetOf } from "../../storage/backup.ts";
import { MetricSource, sectionText, sectionTitles } from "../metrics.ts";
import { whyNotReady } from "../readiness.ts";
import { type Call, type Command, waitFor, whenDone } from "./command.ts";
import { describe } from "./dispensers.ts";

const allSections = ["all", "default", "everything"];

/** INFO. `isKnown` says that the lease store was asked for the name before. */
function info(call: Call, isKnown = false): void {
  const { engine, server, session, replies, args } = call;
  const mayInspect = () => session.user!.refuse("info", "inspect", args) === undefined;
  // A user without the right to a section's name as a dispenser always gets the section.
  if (args.length === 1 && mayInspect()) {
    const isName = !isKnown && !session.isInTransaction && !isSection(args[0]!);
    const demand = new Map([[args[0]!, 0]]);
    const waits = isName ? server.catalog.prepare(demand, false) : undefined;
    if (waits !== undefined) return whenDone(call, waits, () => info(call, true));
    const dispenser = engine.find(args[0]!);
    const dependsOn = engine.dependsOn(args[0]!, dispenser);
    if (dispenser !== undefined) {
      waitFor(session, dependsOn);
      return describeTo(call, dispenser);
    }
    if (!isSection(args[0]!)) {
      waitFor(session, dependsOn);
      return replies.error(notFound.message);
    }
  }
  waitFor(session, engine.dependsOnNames());
  const wanted = new Set(args.map((name) => name.toLowerCase()));
  const every = wanted.size === 0 || allSections.some((name) => wanted.has(name));
  const source = new MetricSource(server, engine, session.user!.mayUseAll);
  const shown = sectionTitles
    .filter((title) => every || wanted.has(title.toLowerCase()))
    .map((title) => sectionText(title, source));
  replies.verbatim(shown.join("\r\n"));
}

/**
 * Shows a dispenser, in a cluster with the usage of all nodes; a transaction cannot wait for that.
 */
function describeTo(call: Call, dispenser: Dispenser): void {
  const { engine, server, session, replies } = call;
  whenDone(call, session.isInTransaction ? {} : server.catalog.describe(dispenser), (more) => {
    waitFor(session, engine.dependsOn(dispenser.name, dispenser));
    replies.verbatim(describe(dispenser, more));
  });
}

function isSection(name: string): boolean {
  const lower = name.toLowerCase();
  const titles = sectionTitles.map((title) => title.toLowerCase());
  return allSections.includes(lower) || titles.includes(lower);
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
  server.shutdown(`SHUTDOWN from ${session.address}`);
}

export const serverCommands: readonly Command[] = [
  {
    name: "info",
    arity: -1,
    flags: ["loading", "stale"],
    keys: [0, 0],
    group: "server",
    needsMore: ([word, ...others]) =>
      word === undefined || others.length > 0 || isSection(word)
        ? undefined
        : { what: "info", right: "inspect", names: [word] },
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
      const microseconds = Math.floor((performance.timeOrigin + performance.now()) * 1000);
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
