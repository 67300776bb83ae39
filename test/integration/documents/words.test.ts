/**
 * Retired words stay out of the code and the documents: one word means one thing, and docs/GLOSSARY.md says which.
 * A word in lower case is looked for in any case, and with a plural s; one with a capital letter is an identifier.
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { root } from "../../../testkit/process.ts";

/** Each retired word, and what to write instead. */
const retired: Readonly<Record<string, string>> = {
  Gathering: "CommitBatch (a commit batch)",
  gathering: "commit batch",
  NameTable: "NameIndex",
  Parked: "DormantDispensers",
  parked: "dormant",
  asleep: "dormant",
  woken: "loaded",
  UnsavedCounts: "DirtyCounts",
  stake: "uncertain number (markUncertain)",
  atStake: "uncertain",
  settleStakes: "resolveUncertain",
  ORDINARY: "NO_RARE_STATE",
  startsOver: "restartPoint",
  handedOut: "acknowledged",
  EveryNth: "Striped",
  sideBySide: "contiguous",
  "own position": "local position",
  "share of a line": "allocation",
  "share of the line": "allocation",
  "its share": "allocation",
  "own share": "allocation",
  NumbersAhead: "prefetch",
  NamesAhead: "PrefetchNames",
  lookAhead: "prefetch",
  gatherAhead: "prefetch",
  "refill mark": "refillThreshold",
  leaseAt: "noticeThreshold",
  onLow: "onLeaseLow",
  Standing: "Entry",
  Paces: "LeaseSizer",
  burnt: "lost",
  whereabouts: "folderFingerprint",
  isMending: "needsRepair",
  handBack: "returnLeases",
  mend: "repair",
  "moving-in": "join",
  movingIn: "join",
  moveWal: "checkpointWal",
  "move of the log": "WAL checkpoint",
  "moves of the log": "WAL checkpoints",
  "move of the WAL": "WAL checkpoint",
  "moves of the WAL": "WAL checkpoints",
  Listener: "Server (its sockets: Sockets)",
  outbox: "ReplyBuffer (reply buffer)",
  newcomer: "anonymous user",
  stranger: "unauthenticated client",
  isStranger: "isUnauthenticated",
  takesFreely: "onFastPath",
  takesAll: "mayTakeAny",
  "fast lane": "fast path",
  StorageUnavailable: "DiskUnavailable",
  StorageBroken: "DiskBroken",
  StorageVanished: "DiskVanished",
  StoreUnavailable: "LeaseStoreUnavailable",
  SharedStore: "LeaseStore",
  "shared store": "lease store",
};

/** Names that are stored for good, so that what older versions wrote can be read. */
const stored: readonly (readonly [file: string, word: string])[] = [
  ["src/cluster/node/state.ts", "whereabouts"],
  ["src/cluster/node/state.ts", "isMending"],
  ["src/cluster/stores/records.ts", "burnt"],
];

const texts = ["src/**/*.ts", "docs/*.md", "README*.md"].flatMap((pattern) =>
  [...new Glob(pattern).scanSync(root)].map(
    (file) => [file, readFileSync(join(root, file), "utf8")] as const,
  ),
);

function patternOf(word: string): RegExp {
  const isIdentifier = /[A-Z]/.test(word) && !word.includes(" ");
  const spaced = word.replaceAll(" ", "[\\s*/]+");
  return new RegExp(
    `(?<!\\w)${spaced}${isIdentifier ? "" : "s?"}(?!\\w)`,
    isIdentifier ? "g" : "gi",
  );
}

function isAllowed(file: string, word: string): boolean {
  const isStored = stored.some(([where, name]) => where === file && name === word);
  return isStored;
}

function usesOf(word: string): string[] {
  return texts.flatMap(([file, text]) =>
    [...text.matchAll(patternOf(word))].map(({ index }) => {
      const line = text.slice(0, index).split("\n").length;
      return `${file}:${line}`;
    }),
  );
}

test.each(Object.entries(retired))("nothing says '%s': it is '%s'", (word, instead) => {
  const wrong = usesOf(word).filter((use) => !isAllowed(use.replace(/:\d+$/, ""), word));
  expect(wrong.map((use) => `${use}: '${word}' is retired, write '${instead}'`)).toEqual([]);
});

test("each stored name that keeps a retired word is still there", () => {
  for (const [file, word] of stored) {
    expect(usesOf(word).map((use) => use.replace(/:\d+$/, ""))).toContain(file);
  }
});
