import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { helpText } from "../../../src/cli/help.ts";
import { loadConfig, unknownVariables } from "../../../src/config/load.ts";
import { type Setting, settings } from "../../../src/config/settings.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { root } from "../../../testkit/process.ts";
import { messageAtOnce } from "../../support/message-of.ts";

const NO_FILE = join(temporaryFolder(), "empty.yaml");
writeFileSync(NO_FILE, "");

/** The config of a file's text, an environment and flags. */
function load(text: string, environment: Record<string, string> = {}, ...flags: string[]) {
  const file = join(temporaryFolder(), "config.yaml");
  writeFileSync(file, text);
  return loadConfig(parseArguments(["-config", file, ...flags]).flags, environment);
}

const messageOf = (work: () => unknown) => messageAtOnce(work).replace(/\/.*\//, "");

describe("defaults", () => {
  test("are those of the documentation", () => {
    expect(load("")).toEqual({
      addr: [{ host: undefined, port: 6380 }],
      tlsAddr: [],
      unixSocketMode: 0o700,
      protectedMode: true,
      tlsCert: "",
      tlsKey: "",
      tlsClientCa: "",
      requirepass: undefined,
      users: [],
      dataDir: resolve("data"),
      create: true,
      autoSave: true,
      allowNetworkFileSystem: false,
      backupDir: "",
      deletedDays: 90,
      store: "",
      node: "",
      clientsMax: 10_000,
      requestBytesMax: 1_048_576,
      requestArgumentsMax: 1_048_576,
      transactionBytesMax: 4_194_304,
      replyBytesMax: 1_048_576,
      unauthenticatedBytesMax: 8_388_608,
      unauthenticatedPerAddressMax: 2000,
      loginSecondsMax: 30,
      requestSecondsMax: 60,
      takeMax: 10_000,
      replyBytesHardMax: 67_108_864,
      bufferBytesMax: 134_217_728,
      idleSecondsMax: 0,
      keepaliveSeconds: 300,
      dispensersMax: 10_000_000,
      nameBytesMax: 255,
      namesBytesMax: 12_884_901_888,
      deletedMax: 100_000,
      logLevel: "info",
      logFormat: "text",
      logAudit: "",
    });
  });

  test("are what config/config.yaml says, setting by setting", () => {
    const text = readFileSync(join(root, "config/config.yaml"), "utf8");
    expect(load(text)).toEqual(load(""));
    for (const { path, variable, alias, unset } of Object.values<Setting<unknown>>(settings)) {
      const name = path.split(".")[1]!;
      const variables = alias === undefined ? variable : `${variable}, ${alias}`;
      expect(text).toMatch(new RegExp(`\\[${variables}\\]\n  ${name}: "?${unset}"?\n`));
    }
  });

  test("are shown by -help, with every setting", () => {
    const help = helpText();
    for (const { path, variable, unset } of Object.values<Setting<unknown>>(settings)) {
      expect(help).toContain(path);
      expect(help).toContain(variable);
      expect(help).toContain(`(${unset})`);
    }
  });
});

test("flags win over the environment, that over the file, that over defaults", () => {
  const file = "server:\n  addr: 'file:1'\nstorage:\n  data_dir: from_file\n  create: false\n";
  const environment = {
    NUMBER_DISPENSER_ADDR: "environment:2",
    NUMBER_DISPENSER_DATA: "from_environment",
  };
  expect(load(file)).toMatchObject({
    addr: [{ host: "file", port: 1 }],
    dataDir: resolve("from_file"),
    create: false,
  });
  expect(load(file, environment)).toMatchObject({
    addr: [{ host: "environment", port: 2 }],
    dataDir: resolve("from_environment"),
  });
  expect(load(file, environment, "--addr=:3", "-data", "from_flag")).toMatchObject({
    addr: [{ host: undefined, port: 3 }],
    dataDir: resolve("from_flag"),
    create: false,
  });
});

test("the file is the one of the flag, of NUMBER_DISPENSER_CONFIG, or config/config.yaml", () => {
  const file = join(temporaryFolder(), "other.yaml");
  writeFileSync(file, "storage: { data_dir: other }");
  const environment = { NUMBER_DISPENSER_CONFIG: file };
  expect(loadConfig(new Map(), environment).dataDir).toBe(resolve("other"));
  expect(loadConfig(new Map([["config", NO_FILE]]), environment).dataDir).toBe(resolve("data"));
  const here = process.cwd();
  process.chdir(temporaryFolder());
  try {
    expect(loadConfig(new Map(), {}).dataDir).toBe(resolve("data"));
    mkdirSync("config");
    writeFileSync("config/config.yaml", "storage: { data_dir: default }");
    expect(loadConfig(new Map(), {}).dataDir).toBe(resolve("default"));
  } finally {
    process.chdir(here);
  }
});

test("variables that are no settings are told of, and the data folder has two names", () => {
  const names = [
    "NUMBER_DISPENSER_ADR",
    "NUMBER_DISPENSER_ADDR",
    "NUMBER_DISPENSER_CONFIG",
    "PATH",
  ];
  expect(unknownVariables(names)).toEqual(["NUMBER_DISPENSER_ADR"]);
  expect(load("", { NUMBER_DISPENSER_DATA_DIR: "/a" }).dataDir).toBe("/a");
  const both = { NUMBER_DISPENSER_DATA_DIR: "/a", NUMBER_DISPENSER_DATA: "/b" };
  expect(load("", both).dataDir).toBe("/b");
});

describe("an address", () => {
  const right: [string, string | undefined, number][] = [
    [":6380", undefined, 6380],
    ["127.0.0.1:0", "127.0.0.1", 0],
    ["localhost:65535", "localhost", 65_535],
    ["[::1]:6380", "::1", 6380],
  ];
  test.each(right)("%s", (text, host, port) => {
    expect(load("", {}, "-addr", text).addr).toEqual([{ host, port }]);
  });

  test.each(["6380", "localhost", "::1:6380", "[x]:1", ":65536", ":-1", ":", "a b:1", "unix:x"])(
    "not %p",
    (text) => {
      expect(messageOf(() => load("", {}, `-addr=${text}`))).toBe(
        `UsageError: -addr: '${text}' must be one or several of host:port, [ipv6]:port, :port or unix:/path, with a port from 0 to 65535`,
      );
    },
  );
});

describe("errors name the place and what is allowed", () => {
  const files: [string, string][] = [
    ["server:\n  adr: x\n", "config.yaml:2: unknown setting 'server.adr'"],
    [
      "\nserver:\n  protected_mode: maybe\n",
      "config.yaml:3: server.protected_mode: 'maybe' must be true or false",
    ],
    ["server:\n  addr: { a: 1 }\n", "config.yaml:2: server.addr needs one value"],
    ["server:\n  addr:\n", "config.yaml:2: server.addr needs one value"],
    ["server: 5\n", "config.yaml:1: server must hold settings"],
    ["- 1\n", "config.yaml:1: the file must hold settings"],
    [
      "limits:\n  clients: 1e3\n",
      "config.yaml:2: limits.clients: '1e3' must be a whole number from 1 to 1000000",
    ],
    [
      "log:\n  level: loud\n",
      "config.yaml:2: log.level: 'loud' must be one of debug, info, warning, error",
    ],
    ["log:\n---\nlog:\n", "config.yaml:2: the file must hold one YAML document"],
    ["log:\n  level: info\n  level: info\n", "config.yaml:3: Map keys must be unique"],
  ];
  test.each(files)("%p", (text, message) => {
    expect(messageOf(() => load(text))).toBe(`UsageError: ${message}`);
  });

  test("in YAML that is none", () => {
    expect(messageOf(() => load("server:\n  addr: 'x\n"))).toMatch(
      /^UsageError: config\.yaml:\d: \S/,
    );
  });

  test.each([
    "!SECRET",
    "|SECRET",
    ">SECRET",
    "!!SECRET x",
    "*SECRET",
    "%SECRET",
    "@SECRET",
    "&SECRET",
  ])("of a password without quotes, which is not shown: %s", (password) => {
    const message = messageOf(() => load(`access:\n  requirepass: ${password}\n`));
    expect(message).toMatch(/^UsageError: config\.yaml:\d: \S/);
    expect(message).not.toContain("SECRET");
  });

  test("in the environment", () => {
    expect(messageOf(() => load("", { NUMBER_DISPENSER_AUTO_SAVE: "1" }))).toBe(
      "UsageError: NUMBER_DISPENSER_AUTO_SAVE: '1' must be true or false",
    );
  });

  test("of a file that is not there", () => {
    expect(messageOf(() => loadConfig(new Map([["config", "/nowhere/c.yaml"]]), {}))).toBe(
      "CannotStart: cannot read the config file c.yaml: no such file or directory (ENOENT)",
    );
  });
});
