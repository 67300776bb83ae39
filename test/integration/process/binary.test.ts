import { beforeAll } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { root } from "../../../testkit/process.ts";
import { describeProgram } from "./program.ts";

const BUILD_TIMEOUT_MS = 120_000;
const binary = join(temporaryFolder(), "number-dispenser");

beforeAll(() => {
  // The script of package.json, with another place for the file.
  const build = Bun.spawnSync([process.execPath, "run", "build", "--outfile", binary], {
    cwd: root,
  });
  if (!build.success) throw new Error(`bun run build failed:\n${build.stderr}`);
}, BUILD_TIMEOUT_MS);

describeProgram("the compiled binary", () => [binary]);
