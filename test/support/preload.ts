/** Runs before all tests (bunfig.toml), and registers the work to do after them. */

import { afterAll } from "bun:test";
import { rmSync } from "node:fs";
import { temporaryRoot } from "../../testkit/folder.ts";
import { endAll } from "../../testkit/process.ts";

afterAll(() => {
  endAll();
  rmSync(temporaryRoot, { recursive: true, force: true });
});
