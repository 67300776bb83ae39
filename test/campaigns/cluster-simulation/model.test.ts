/** What spin finds in going-back.pml: nothing as it stands, and something in each mutation of it. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { noSpin } from "../../support/installed.ts";

const model = join(import.meta.dir, "going-back.pml");

/** One search takes so long on a machine that does nothing else: 15 s, and 700 MB. */
const TIMEOUT_MS = 300_000;
/** Paths have some 50 steps; spin says so where one is longer. */
const DEPTH_MAX = 1000;

async function run(folder: string, command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [said, wrong] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${command[0]}: ${said}${wrong}`);
  return said;
}

/** What the search says. Optimising takes the compiler seconds, which a long one is worth. */
async function search(macros: string, optimisation: string): Promise<string> {
  const folder = temporaryFolder();
  await run(folder, ["spin", "-a", ...macros.split(" ").map((macro) => `-D${macro}`), model]);
  // All steps touch what all processes share, so that there is nothing to reduce.
  const options = [optimisation, "-DSAFETY", "-DNOREDUCE", "-o", "search"];
  await run(folder, ["cc", ...options, "pan.c"]);
  return run(folder, ["./search", `-m${DEPTH_MAX}`, "-n"]);
}

const sound = [
  ["three nodes, the store goes back once, one crash or lost answer", "NODES=3", "-O2"],
  ["two nodes, the store goes back twice, one crash or lost answer", "NODES=2 BACKS=2", "-O1"],
  ["three nodes, a new timeline, time-outs at any time", "NODES=3 PROMOTED TROUBLES=0", "-O0"],
] as const;

test.skipIf(noSpin !== undefined).each(sound)(
  "spin finds nothing: %s",
  async (_, macros, optimisation) => {
    const said = await search(macros, optimisation);
    expect(said).toContain("errors: 0");
    expect(said).not.toMatch(/Search not completed|max search depth/);
  },
  TIMEOUT_MS,
);

const numbers = "((taken&(1<<next))==0)";
const voices = "!(knowsBetter[n])";
const alarms = "(row[n]<=known[n])";

/** What is broken, by which macros, and the assertion that shows it. */
const mutations = [
  ["nobody calls the roll", "NO_ROLL_CALL ONLY_NUMBERS", numbers],
  ["a node does not look at its own row", "NO_OWN_ROW ONLY_NUMBERS", numbers],
  ["nobody regards the mark", "NO_MARK ONLY_NUMBERS", numbers],
  ["a node answers before it looks", "ANSWER_WITHOUT_LOOKING ONLY_NUMBERS", numbers],
  ["a roll call takes answers to an older one", "CALL_NOT_NEW ONLY_NUMBERS", numbers],
  ["a roll call goes on in another term", "TERM_NOT_COMPARED ONLY_NUMBERS", numbers],
  ["what was confirmed once is for good", "CONFIRMED_FOR_GOOD ONLY_NUMBERS", numbers],
  ["an advance without a margin", "NO_MARGIN ONLY_NUMBERS", numbers],
  ["nobody who knows better speaks in time", "ANY_TIMEOUT ONLY_NUMBERS", numbers],
  ["a forgotten node is not waited for", "STRANGERS_NOT_AWAITED ONLY_NUMBERS", numbers],
  ["a call is answered late", "STALE_ANSWER BACKS=2 TROUBLES=0 ONLY_NUMBERS", numbers],
  ["mending fails halfway", "MEND_NOT_FINISHED BACKS=2 TROUBLES=2 ONLY_NUMBERS", numbers],
  ["an epoch is accepted twice", "MEND_NOT_FINISHED BACKS=2", voices],
  ["a crash forgets the doubt", "DOUBT_NOT_DURABLE", voices],
  ["the intent is not saved", "NO_INTENT", alarms],
] as const;

test.skipIf(noSpin !== undefined).each(mutations)(
  "spin finds it when %s",
  async (_, macros, assertion) => {
    const said = await search(`NODES=2 ${macros}`, "-O0");
    expect(said).toMatch(/errors: [1-9]/);
    const [, violated] = /assertion violated +(.*) \(at depth/.exec(said) ?? [];
    expect(violated).toBe(assertion);
  },
  TIMEOUT_MS,
);
