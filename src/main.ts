/** The program: its command line and its exit statuses. */

import { parseArguments } from "./cli/arguments.ts";
import { runCommand } from "./cli/run.ts";
import { endWith, serve } from "./service.ts";

/** A command found something that is not as it should be. */
const EXIT_NOT_WELL = 1;

async function run(): Promise<void> {
  const invocation = parseArguments(process.argv.slice(2));
  const said = await runCommand(invocation, process.env);
  if (said === undefined) return serve(invocation.flags, process.env);
  process.stdout.write(said.text);
  if (!said.isWell) process.exitCode = EXIT_NOT_WELL;
}

// No await out here: a binary with bytecode cannot have one.
run().catch(endWith);
