import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./support/folder.ts";
import { root } from "./support/server.ts";

const script = join(root, "config/install.sh");
const [service, socket] = ["service", "socket"].map((kind) => `number-dispenser.${kind}`) as [
  string,
  string,
];
const textOf = (unit: string) => readFileSync(join(root, "config", unit), "utf8");

const run = (destination: string, ...args: string[]) => {
  const env = { ...process.env, DESTDIR: destination };
  const { exitCode, stdout, stderr } = Bun.spawnSync(["sh", script, ...args], { env });
  return { exitCode, said: `${stdout}${stderr}` };
};

/** A binary that says which version it is. */
function binaryOf(version: string): string {
  const file = join(temporaryFolder(), "number-dispenser");
  writeFileSync(file, `#!/bin/sh\necho ${version}\n`);
  return file;
}

test("install.sh installs, upgrades and removes, and may be run again", () => {
  const destination = temporaryFolder();
  const at = (path: string) => join(destination, path);
  const [binary, settings] = [at("usr/local/bin/number-dispenser"), at("etc/number-dispenser")];
  const units = [service, socket].map((unit) => at(join("etc/systemd/system", unit)));
  for (const version of ["one", "one", "two"]) {
    expect(run(destination, "install", binaryOf(version))).toEqual({
      exitCode: 0,
      said: `installed ${binary}\n`,
    });
    expect(Bun.spawnSync([binary]).stdout.toString()).toBe(`${version}\n`);
    expect(units.map((unit) => readFileSync(unit, "utf8"))).toEqual([service, socket].map(textOf));
  }
  const config = join(settings, "config.yaml");
  expect(readFileSync(config, "utf8")).toContain('\n  data_dir: "/var/lib/number-dispenser"\n');
  expect(statSync(join(settings, "environment")).mode & 0o777).toBe(0o600);

  // What an operator changed stays.
  writeFileSync(config, "server:\n  addr: ':7000'\n");
  run(destination, "install", binaryOf("three"));
  expect(readFileSync(config, "utf8")).toBe("server:\n  addr: ':7000'\n");

  for (let times = 0; times < 2; times++) {
    expect(run(destination, "remove")).toMatchObject({ exitCode: 0 });
    expect([binary, ...units, config].map((path) => existsSync(path))).toEqual([
      false,
      false,
      false,
      true,
    ]);
  }
});

test("install.sh says what is missing, and how it is used", () => {
  const destination = temporaryFolder();
  expect(run(destination, "install", "/nowhere/binary")).toEqual({
    exitCode: 1,
    said: "install.sh: there is no binary /nowhere/binary: 'bun run build' makes one\n",
  });
  expect(run(destination)).toMatchObject({
    exitCode: 2,
    said: expect.stringContaining("install.sh remove"),
  });
});

const analyze = Bun.which("systemd-analyze");
if (analyze === null) console.warn("The unit is not verified: there is no systemd-analyze here.");

test.if(analyze !== null)("the units are such that systemd takes, and hardened", () => {
  const folder = temporaryFolder();
  const [file, listening] = [join(folder, service), join(folder, socket)];
  // It looks whether the program is there.
  const text = textOf(service).replace("/usr/local/bin/number-dispenser", process.execPath);
  writeFileSync(file, text);
  writeFileSync(listening, textOf(socket));
  const verified = Bun.spawnSync([analyze!, "verify", listening, file]);
  expect([verified.exitCode, verified.stderr.toString()]).toEqual([0, ""]);
  const security = Bun.spawnSync([analyze!, "security", "--offline=true", "--threshold=20", file]);
  expect(security.exitCode).toBe(0);
  expect(security.stdout.toString()).toContain("Overall exposure level");
});
