/** Runs the program's commands, except for the server, by their names. */

import { CannotStart } from "../base/errors.ts";
import { versionText } from "../base/version.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/settings.ts";
import { advanceAll } from "./advance.ts";
import type { Invocation } from "./arguments.ts";
import { backUp } from "./backup.ts";
import { bench } from "./bench.ts";
import { type ClusterAction, operateCluster } from "./cluster.ts";
import { type CommandName, LIMIT_SECONDS, REDIS_VARIABLE } from "./commands.ts";
import type { Environment } from "./connection.ts";
import { helpText } from "./help.ts";
import { acceptCopy } from "./home.ts";
import { importDispensers } from "./import.ts";
import { initialize } from "./init.ts";
import { health, info } from "./inspect.ts";
import { list, type Write } from "./list.ts";
import { repair } from "./repair.ts";
import { restore } from "./restore.ts";
import type { Said } from "./said.ts";
import { secondsIn } from "./seconds.ts";
import { orderIn, top } from "./top.ts";

/** The input of a command. */
interface Request {
  readonly operands: readonly string[];
  readonly flags: ReadonlyMap<string, string>;
  readonly config: Config;
  readonly environment: Environment;
}

type Run = (request: Request) => string | Said | Promise<string | Said>;

const cluster =
  (action: ClusterAction): Run =>
  ({ operands, flags, config }) =>
    operateCluster(action, operands, flags, config);

const limitIn = (flags: Request["flags"]) => secondsIn(flags, "timeout", LIMIT_SECONDS);

/** The settings of the server to ask; -addr names the one address. */
const serverOf = ({ flags, config }: Request): Config =>
  flags.has("addr") ? { ...config, tlsAddr: [] } : config;

/** The flags of import with -redis from its variable, so that its password need not be a flag. */
function withRedis(file: string | undefined, flags: Request["flags"], environment: Environment) {
  const url = environment[REDIS_VARIABLE];
  return file !== undefined || flags.has("redis") || !url
    ? flags
    : new Map([...flags, ["redis", url]]);
}

/** Writes texts one after the other, as fast as they are read. */
function writerOf(stream: NodeJS.WriteStream): Write {
  // Whoever reads may leave, as `head` does: write() answers that.
  stream.on("error", () => {});
  return (text) =>
    new Promise((resolve) => void stream.write(text, (error) => resolve(error == null)));
}

const runs: Record<Exclude<CommandName, "server" | "help" | "version">, Run> = {
  backup: (request) => backUp(request.operands[0]!, serverOf(request), request.environment),
  restore: ({ operands: [file], flags, config }) => restore(file!, flags, config),
  init: ({ config }) => initialize(config.dataDir, config),
  repair: ({ flags, config }) => repair(config.dataDir, flags, config),
  "accept-copy": ({ config }) => acceptCopy(config.dataDir, config),
  advance: ({ flags, config }) => advanceAll(flags, config),
  health: async (request) => {
    const { flags, environment } = request;
    const isJson = flags.has("json");
    const found = await health(serverOf(request), environment, limitIn(flags), isJson);
    if (!found.isWell && !isJson) throw new CannotStart(found.text);
    return found;
  },
  info: (request) => {
    const { operands, flags, environment } = request;
    const isJson = flags.has("json");
    return info(operands[0], serverOf(request), environment, limitIn(flags), isJson);
  },
  list: async (request) => {
    const { operands, flags, environment } = request;
    const isJson = flags.has("json");
    const write = writerOf(process.stdout);
    const server = serverOf(request);
    await list(operands[0], server, environment, limitIn(flags), isJson, write);
    return { text: "", isWell: true };
  },
  top: (request) => {
    const { flags, environment } = request;
    const terminal = { input: process.stdin, output: process.stdout };
    return top(orderIn(flags), serverOf(request), environment, limitIn(flags), terminal);
  },
  bench: ({ flags, config, environment }) =>
    bench(config.dataDir, flags, environment, process.stderr),
  import: ({ operands: [file], flags, config, environment }) =>
    importDispensers(file, withRedis(file, flags, environment), config),
  "cluster join": cluster("join"),
  "cluster leave": cluster("leave"),
  "cluster forget": cluster("forget"),
  "cluster advance": cluster("advance"),
  "cluster nodes": cluster("nodes"),
};

/**
 * Runs a command. Answers undefined if the command is the server, which the caller starts. Throws
 * UsageError and CannotStart.
 */
export async function runCommand(
  { command, operands, flags, topic }: Invocation,
  environment: Environment,
): Promise<Said | undefined> {
  if (command === "server") return undefined;
  if (command === "help") return { text: helpText(topic), isWell: true };
  if (command === "version") return { text: `${versionText}\n`, isWell: true };
  const config = loadConfig(flags, environment);
  const said = await runs[command]({ operands, flags, config, environment });
  return typeof said === "string"
    ? { text: `${said}\n`, isWell: true }
    : { ...said, text: said.text === "" ? "" : `${said.text}\n` };
}
