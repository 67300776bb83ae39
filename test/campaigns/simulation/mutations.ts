/**
 * Mutations of the program, each a small change of its text that a slip could make. The
 * simulation has to catch every one: that is what its silence on the sound program is worth.
 */

import type { Change } from "../../support/program-copy.ts";

export interface Mutation extends Change {
  readonly title: string;
  /** What stops it before an invariant does: SQLite, arithmetic, or the checks of a start. */
  readonly caughtBy?: "SQLite" | "arithmetic" | "start";
}

export const mutations: readonly Mutation[] = [
  {
    title: "a lower reservation is written than memory believes",
    file: "src/dispenser/reserving.ts",
    find: "const reserved = dispenser.reservesInMemory ? dispenser.position : dispenser.start + BigInt(upTo);",
    replace: "const reserved = dispenser.position;",
    caughtBy: "start",
  },
  {
    title: "numbers are released before their commit",
    file: "src/engine/engine.ts",
    find: "if (dispenser !== undefined && dispenser.taken > dispenser.reserved) return this.nextCommit;",
    replace: "",
  },
  {
    title: "held numbers are released though their commit failed",
    file: "src/server/session/reply-buffer.ts",
    find: "if (failure !== undefined) this.rewrite(released, failure);",
    replace: "",
  },
  {
    title: "memory follows a commit that failed",
    file: "src/engine/commit.ts",
    find: "if (failure === undefined) {\n      for (const [index, dispenser]",
    replace: "if (true) {\n      for (const [index, dispenser]",
  },
  {
    title: "numbers of a failed commit are not given back",
    file: "src/dispenser/reserving.ts",
    find: "  dispenser.taken = dispenser.reserved;\n  dispenser.source = undefined;",
    replace: "  dispenser.reserved = dispenser.taken;\n  dispenser.source = undefined;",
  },
  {
    title: "a failed HSET, DEL or ADVANCE is not taken back",
    file: "src/engine/commit.ts",
    find: "for (const undo of this.undo.reverse()) undo();",
    replace: "",
  },
  {
    title: "replies about a changed name do not wait for the change",
    file: "src/engine/commit.ts",
    find: "    this.changed.add(name);\n",
    replace: "",
  },
  {
    title: "the clean close forgets its mark",
    file: "src/storage/sqlite.ts",
    find: "this.database.run(mark(CLOSED));",
    replace: "",
  },
  {
    title: "the start does not say that the database is in use",
    file: "src/storage/sqlite.ts",
    find: "this.database.run(mark(IN_USE));",
    replace: "",
  },
  {
    title: "the clean close of pre_close keeps what lies ahead",
    file: "src/dispenser/reserving.ts",
    find: "dispenser.strategy.exactAtClose ? dispenser.taken : dispenser.reserved",
    replace: "dispenser.reserved",
  },
  {
    title: "off by one at the end of a segment",
    file: "src/dispenser/reserving.ts",
    find: "last: end - 1n }",
    replace: "last: end - 2n }",
  },
  {
    title: "off by one where recovery resumes",
    file: "src/storage/stored-values.ts",
    find: "reserved: last + 1n,",
    replace: "reserved: last,",
    caughtBy: "start",
  },
  {
    title: "a checkpoint is written only where a segment is",
    file: "src/storage/rows.ts",
    find: 'if (keeps === "checkpoint") statements',
    replace: 'if (keeps === "checkpoint" && segment !== undefined) statements',
  },
  {
    title: "a switch away from memory keeps memory's limitless reservation",
    file: "src/dispenser/dispenser.ts",
    find: "      this.change = REPLACED;\n      this.reserved = this.taken;\n",
    replace: "      this.change = REPLACED;\n",
    caughtBy: "arithmetic",
  },
  {
    title: "a switch leaves the rows of the strategy before",
    file: "src/storage/rows.ts",
    find: "if (replaces) this.forget(id);",
    replace: "",
    caughtBy: "start",
  },
  {
    title: "a line that becomes memory forgets where it stood",
    file: "src/dispenser/dispenser.ts",
    find: "    this.rareState = { ...this.rareState, ...restart };\n",
    replace: "",
  },
  {
    title: "the budget of waste is not looked at",
    file: "src/dispenser/strategy.ts",
    find: "return Math.min(budget, Math.max(1, least, used, byRate));",
    replace: "return Math.max(1, least, used, byRate);",
  },
  {
    title: "numbers still under way pay for numbers ahead",
    file: "src/dispenser/reserving.ts",
    find: "dispenser.acknowledged, used, spanMs",
    replace: "dispenser.generatedInLife, used, spanMs",
  },
  {
    title: "what a failed MGET took counts as handed out",
    file: "src/dispenser/dispenser.ts",
    find: "if (isLost) this.generatedAtOrigin -= this.uncertain;",
    replace: "",
  },
  {
    title: "a failed transaction is not rolled back",
    file: "src/storage/sqlite.ts",
    find: "      this.rollBack();\n",
    replace: "",
    caughtBy: "SQLite",
  },
  {
    title: "DEL is not written",
    file: "src/engine/engine.ts",
    find: '    this.store.stage({ kind: "remove", id });\n',
    replace: "",
    caughtBy: "SQLite",
  },
  {
    title: "DEL is answered before its commit",
    file: "src/server/commands/dispensers.ts",
    find: "    for (const name of args) waitFor(session, engine.dependsOnName(name));\n",
    replace: "",
  },
  {
    title: "HSET is answered before its commit",
    file: "src/server/commands/dispensers.ts",
    find: "(set: number | Refusal) => {\n    waitFor(call.session, engine.dependsOnName(name));\n",
    replace: "(set: number | Refusal) => {\n",
  },
  {
    title: "how far a deleted line had come is not written",
    file: "src/engine/deleted-lines.ts",
    find: '    this.store.stage({ kind: "keep", line });\n',
    replace: "",
  },
  {
    title: "a deleted line that is defined again starts at its start",
    file: "src/engine/engine.ts",
    find: "const found = deleted && { ...deleted, segmentEnd: undefined };",
    replace: "const found = deleted && { account: undefined, segmentEnd: undefined };",
  },
  {
    title: "a line that goes on after DEL is not written",
    file: "src/engine/engine.ts",
    find: "    dispenser.writeAnew();\n",
    replace: "",
  },
  {
    title: "a line that goes on after DEL is still kept as deleted",
    file: "src/engine/local-catalog.ts",
    find: "    else if (kept !== undefined) engine.deleted.forget(name, definition);\n",
    replace: "",
  },
  {
    title: "what a failed DEL kept is not taken back",
    file: "src/engine/engine.ts",
    find: "    this.deleted.commitEnded();\n",
    replace: "",
  },
  {
    title: "a new line may begin on the last number of a deleted one",
    file: "src/dispenser/types/progression.ts",
    find: "valueAt(other, otherEnd - 1n))",
    replace: "valueAt(other, otherEnd - 2n))",
  },
  {
    title: "numbers of another type count as other numbers",
    file: "src/dispenser/deleted.ts",
    find: "if (isAtEnd || otherBelow <= 0n) return false;",
    replace: "if (isAtEnd || otherBelow <= 0n || line.type !== other.type) return false;",
  },
  {
    title: "a line that goes on may run into another deleted one",
    file: "src/dispenser/deleted.ts",
    find: "deleted.filter((line) => line !== same);",
    replace: "deleted.filter(() => same === undefined);",
  },
  {
    title: "a durable line becomes memory without a word",
    file: "src/engine/local-catalog.ts",
    find: "refuseMemory(name, before, definition, counts.generated > 0n) ??",
    replace: "",
  },
  {
    title: "a line may grow into the numbers of a deleted one",
    file: "src/engine/local-catalog.ts",
    find: "(grows ? deleted",
    replace: "(grows && reuse ? deleted",
  },
  {
    title: "a length that grew is not written",
    file: "src/storage/rows.ts",
    find: "SET auto_disk = excluded.auto_disk, line = excluded.line",
    replace: "SET auto_disk = excluded.auto_disk",
  },
  {
    title: "a line that grew longer has its old end",
    file: "src/dispenser/dispenser.ts",
    find: "    this.capacity = numbersLeft(definition, this.allocation, this.start);\n    if (isSwitch)",
    replace: "    if (isSwitch)",
  },
  {
    title: "the bound of pre_close is 10 %",
    file: "src/dispenser/strategy.ts",
    find: '  pre_close: {\n    keeps: "checkpoint",\n    acknowledgedPerAhead: 19,',
    replace: '  pre_close: {\n    keeps: "checkpoint",\n    acknowledgedPerAhead: 9,',
  },
  {
    title: "the clean close forgets counts",
    file: "src/dispenser/dispenser.ts",
    find: "return this.hasDirtyCounts || liesAhead",
    replace: "return liesAhead",
  },
  {
    title: "a line of codes begins its second half anew after a restart",
    file: "src/dispenser/types/code.ts",
    find: "this.right = Number(position % BigInt(right.count));",
    replace: "this.right = 0;",
  },
  {
    title: "codes of a deleted line go on with another key",
    file: "src/dispenser/fields.ts",
    find: "isSameLine(again, before)) return again;",
    replace: "isSameLine(again, before)) return define(fields);",
  },
  {
    title: "a format is not stored",
    file: "src/dispenser/definition.ts",
    find: "of fieldsOfFormat(format)) {\n    text",
    replace: "of fieldsOfFormat(undefined)) {\n    text",
  },
  {
    title: "a check digit is over the number alone",
    file: "src/dispenser/format/format.ts",
    find: "else check.write(into, at, backAt + checkAt, backAt + checkAt);",
    replace: "else check.write(into, start + 1, backAt + checkAt, backAt + checkAt);",
  },
  {
    title: "the period is the clock's, though the line has been in a later one",
    file: "src/engine/periods.ts",
    find: "return Math.max(allocation.period, byClock);",
    replace: "return byClock;",
  },
  {
    title: "dates show the clock's period, and the number is of another",
    file: "src/dispenser/format/format.ts",
    find: "periods?.dateWithin(period, wallMs) ?? dateAt(calendar, wallMs);",
    replace: "dateAt(calendar, wallMs);",
  },
  {
    title: "a period that begins is not written",
    file: "src/storage/rows.ts",
    find: "if (run !== undefined) statements.run.run(id, ...startOf(run), run.knownFrom, run.reached);",
    replace: "",
    caughtBy: "start",
  },
  {
    title: "of all periods only the first one is written",
    file: "src/storage/rows.ts",
    find: "period = excluded.period, start = excluded.start, known_from",
    replace: "period = period, start = start, known_from",
  },
  {
    title: "a number leaves before the commit that begins its period",
    file: "src/engine/periods.ts",
    find: "    this.batch.change(name, dispenser.snapshot());\n    dispenser.enter(run);",
    replace: "    dispenser.enter(run);",
  },
  {
    title: "codes are the same in all periods",
    file: "src/dispenser/types/code.ts",
    find: "new Codes(this, position, when?.period ?? NO_PERIOD)",
    replace: "new Codes(this, position, NO_PERIOD)",
  },
  {
    title: "a line that comes back to a period begins it anew",
    file: "src/engine/periods.ts",
    find: "allocation.in(now, position, this.passedIn(dispenser, now))",
    replace: "allocation.in(now, position, 0n)",
  },
  {
    title: "PERIOD takes a line back to the beginning of a period",
    file: "src/engine/periods.ts",
    find: "allocation.in(period, position, this.passedIn(dispenser, period))",
    replace: "allocation.in(period, position, 0n)",
  },
  {
    title: "a period that ended is not stored",
    file: "src/storage/rows.ts",
    find: "statements.endPeriod.run(change.id, change.period, change.passed - 1n);",
    replace: "",
  },
  {
    title: "a deleted line forgets which period it was in",
    file: "src/engine/engine.ts",
    find: "const found = deleted && { ...deleted, segmentEnd: undefined };",
    replace: "const found = deleted && { account: deleted.account, segmentEnd: undefined };",
  },
  {
    title: "a deleted line is kept in the period that PERIOD took it back into",
    file: "src/engine/periods.ts",
    find: "return { account, run: { period: reached, start, knownFrom: reached, reached } };",
    replace: "return { account, run: { ...run, knownFrom: period, reached: period } };",
  },
  {
    title: "a line that goes on after DEL believes that it knows of ended periods",
    file: "src/engine/periods.ts",
    find: "start, knownFrom: reached, reached }",
    replace: "start, knownFrom: run.knownFrom, reached }",
  },
  {
    title: "PERIOD takes a line in memory back",
    file: "src/engine/periods.ts",
    find: 'if (keepsNothing) return refuse("a line in memory starts over in its period at each start");',
    replace: "",
  },
  {
    title: "PERIOD is answered before its commit",
    file: "src/server/commands/periods.ts",
    find: "    waitFor(session, engine.dependsOn(name, dispenser));\n",
    replace: "",
  },
  {
    title: "a clock that jumps ahead is trusted at once",
    file: "src/engine/period-clock.ts",
    find: "      if (bootMs - this.jump.atMs < HOLD_MS) return;\n",
    replace: "",
  },
  {
    title: "a clock that was set is not noticed",
    file: "src/engine/dated-lines.ts",
    find: "if (isSet || hasChanged) this.closeAll();",
    replace: "",
  },
];
