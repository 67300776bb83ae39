import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testkit/folder.ts";
import { fromSource, root } from "../../testkit/process.ts";

const script = join(root, "deploy/install.sh");
const [service, socket] = ["service", "socket"].map((kind) => `number-dispenser.${kind}`) as [
  string,
  string,
];
const textOf = (unit: string) => readFileSync(join(root, "deploy", unit), "utf8");

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
  // A folder without a database is refused, by the settings and by the unit.
  expect(readFileSync(config, "utf8")).toContain("\n  create: false\n");
  expect(textOf(service)).toContain("\nEnvironment=NUMBER_DISPENSER_CREATE=false\n");
  // BACKUP writes where the sandbox lets it.
  const [, backups] = /\n {2}backup_dir: "(.*)"\n/.exec(readFileSync(config, "utf8"))!;
  const [, folders] = /\nStateDirectory=(.*)\n/.exec(textOf(service))!;
  expect(folders!.split(" ").map((folder) => `/var/lib/${folder}`)).toContain(backups!);
  // It is started again for ever, but not where that makes it worse.
  expect(textOf(service)).toMatch(/\nStartLimitIntervalSec=0\n/);
  expect(textOf(service)).toMatch(/\nRestartPreventExitStatus=2 78\n/);
  // Nothing is started for a package that is made: its data is made where it is installed.
  expect(existsSync(at("var"))).toBe(false);
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

/** An /etc, a /usr/local/bin and a /var/lib that are the script's own. */
const ownRoot =
  'cp -a /etc/. "$ETC" && mount --bind "$ETC" /etc && mount -t tmpfs none /usr/local/bin && ' +
  "mount -t tmpfs none /var/lib";
const isolated = ["unshare", "-m", "sh", "-ec"];
const canInstall =
  process.getuid?.() === 0 &&
  !existsSync("/run/systemd/system") &&
  Bun.which("unshare") !== null &&
  Bun.spawnSync([...isolated, "mount -t tmpfs none /mnt"]).exitCode === 0;
if (!canInstall) console.warn("An installation on a machine of its own is not tested here.");

test.skipIf(!canInstall)("the first installation makes the database, and no later one does", () => {
  const binary = join(temporaryFolder(), "number-dispenser");
  writeFileSync(binary, `#!/bin/sh\nexec ${fromSource.join(" ")} "$@"\n`, { mode: 0o755 });
  const show = "stat -c '%U %a %n' /var/lib/number-dispenser /var/lib/number-dispenser/*";
  const steps = [
    ownRoot,
    `sh ${script} install ${binary}`,
    show,
    "rm -r /var/lib/number-dispenser/*",
    `sh ${script} install ${binary}`,
    "ls -A /var/lib/number-dispenser",
    "! number-dispenser -config /etc/number-dispenser/config.yaml -addr 127.0.0.1:0 2>&1",
  ];
  const { exitCode, stdout, stderr } = Bun.spawnSync([...isolated, steps.join("\n")], {
    env: { PATH: `/usr/local/bin:${process.env.PATH}`, ETC: temporaryFolder() },
  });
  const folder = "/var/lib/number-dispenser";
  expect([exitCode, stderr.toString(), stdout.toString().split("\n")]).toEqual([
    0,
    "",
    [
      `made ${folder}/number-dispenser.db: every line starts at its beginning`,
      "installed /usr/local/bin/number-dispenser",
      `number-dispenser 700 ${folder}`,
      `number-dispenser 600 ${folder}/number-dispenser.db`,
      "installed /usr/local/bin/number-dispenser",
      expect.stringContaining(`${folder}/number-dispenser.db does not exist, and storage.create`),
      "",
    ],
  ]);
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
  // A systemd before 254 ignores the growing delay, and says so.
  const growing = /^.*Unknown key '(RestartSteps|RestartMaxDelaySec)' in section \[Service\].*\n/gm;
  expect([verified.exitCode, verified.stderr.toString().replace(growing, "")]).toEqual([0, ""]);
  const security = Bun.spawnSync([analyze!, "security", "--offline=true", "--threshold=20", file]);
  expect(security.exitCode).toBe(0);
  expect(security.stdout.toString()).toContain("Overall exposure level");
});
