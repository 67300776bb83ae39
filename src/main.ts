/** The program: what its command line asks for, and its exit status. */

import { parseArguments } from "./cli/arguments.ts";
import { endWith } from "./cli/ending.ts";
import { runCommand } from "./cli/run.ts";
import { serve } from "./cli/serve.ts";
import { Service } from "./service.ts";

/** A command found something that is not as it should be. */
const EXIT_NOT_WELL = 1;

async function run(): Promise<void> {
  const invocation = parseArguments(process.argv.slice(2));
  const said = await runCommand(invocation, process.env);
  if (said === undefined) return serve(Service.open, invocation.flags, process.env);
  process.stdout.write(said.text);
  if (!said.isWell) process.exitCode = EXIT_NOT_WELL;
}

// No await out here: a binary with bytecode cannot have one.
run().catch(endWith);
