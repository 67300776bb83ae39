/**
 * Compiles the program: `bun run build` makes dist/number-dispenser for this machine, `bun run build:all`
 * one for each platform, with SHA256SUMS beside them. The commit stands in what -version says: that of the
 * working copy, or BUILD_COMMIT where there is none.
 *
 * bun scripts/build.ts [--all] [--outfile path]
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

const root = resolve(import.meta.dir, "..");
const NAME = "number-dispenser";

/** Bun's names of the platforms. */
const targets = [
  "linux-x64",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
];

function commitOf(): string {
  const given = process.env.BUILD_COMMIT;
  if (given !== undefined && given !== "") return given;
  const git = (...args: string[]) => {
    const { success, stdout } = Bun.spawnSync(["git", ...args], { cwd: root, stderr: "ignore" });
    return success ? stdout.toString().trim() : undefined;
  };
  const commit = git("rev-parse", "--short=12", "HEAD");
  if (commit === undefined) return "unknown";
  return git("status", "--porcelain", "--", "src", "package.json") === "" ? commit : `${commit}+`;
}

/** Compiles for a platform, this machine's by default; ends the process where that fails. */
function compile(outfile: string, target?: string): void {
  mkdirSync(dirname(outfile), { recursive: true });
  const { success } = Bun.spawnSync(
    [
      ...[process.execPath, "build", "--compile", "--minify", "--bytecode"],
      // Settings come from flags, environment and the file alone, whatever lies in the working folder.
      ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
      ...["--define", `BUILD_COMMIT=${JSON.stringify(commitOf())}`],
      ...(target === undefined ? [] : [`--target=bun-${target}`]),
      ...[join(root, "src/main.ts"), "--outfile", outfile],
    ],
    { cwd: root, stdout: "inherit", stderr: "inherit" },
  );
  if (!success) process.exit(1);
}

const { values } = parseArgs({
  options: { all: { type: "boolean" }, outfile: { type: "string" } },
});
const dist = join(root, "dist");
if (values.all) {
  const files = targets.map((target) => join(dist, `${NAME}-${target}`));
  for (const [index, target] of targets.entries()) compile(files[index]!, target);
  const sums = files.map((file) => {
    const sum = new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex");
    return `${sum}  ${basename(file)}\n`;
  });
  writeFileSync(join(dist, "SHA256SUMS"), sums.join(""));
} else {
  compile(values.outfile === undefined ? join(dist, NAME) : resolve(values.outfile));
}
