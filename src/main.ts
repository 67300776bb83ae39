/** The program: runs what its command line asks for, and sets its exit status. */

import { parseArguments } from "./cli/arguments.ts";
import { endWith } from "./cli/ending.ts";
import { runCommand } from "./cli/run.ts";
import { serve } from "./cli/serve.ts";
import { Service } from "./service.ts";

/** The exit status of a command that found a problem. */
const EXIT_NOT_WELL = 1;

async function run(): Promise<void> {
  const invocation = parseArguments(process.argv.slice(2));
  const said = await runCommand(invocation, process.env);
  if (said === undefined) return serve(Service.open, invocation.flags, process.env);
  // A server that hangs may keep a connection waiting in the system, and with it this process.
  process.stdout.write(said.text, (error) =>
    process.exit(said.isWell && !error ? 0 : EXIT_NOT_WELL),
  );
}

// A compiled binary with bytecode cannot have an await at the top level.
run().catch(endWith);
