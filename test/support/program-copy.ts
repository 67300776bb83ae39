/** A copy of the program and of some tests, which can be changed and run. */

import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testkit/folder.ts";
import { root } from "../../testkit/process.ts";

/** A mutation: a small change of the program's text, as a mistake could make it. */
export interface Change {
  readonly file: string;
  /** The text to replace, which is in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export class ProgramCopy {
  private readonly folder = temporaryFolder();

  /** Makes a copy that includes these folders of test/. */
  constructor(...tests: readonly string[]) {
    for (const part of ["src", "testkit", ...tests.map((name) => `test/${name}`)])
      cpSync(join(root, part), join(this.folder, part), { recursive: true });
    for (const part of ["package.json", "tsconfig.json"])
      cpSync(join(root, part), join(this.folder, part));
    symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"));
  }

  /** Runs a file of the changed program. Answers its exit status and its stderr. */
  async runChanged(
    { file, find, replace }: Change,
    script: string,
    ...args: readonly string[]
  ): Promise<[status: number, said: string]> {
    const path = join(this.folder, file);
    const sound = readFileSync(path, "utf8");
    if (sound.split(find).length !== 2) throw new Error(`${file}: not there once: ${find}`);
    writeFileSync(
      path,
      sound.replace(find, () => replace),
    );
    try {
      const command = [process.execPath, join(this.folder, script), ...args];
      const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
      const said = await child.stderr.text();
      return [await child.exited, said];
    } finally {
      writeFileSync(path, sound);
    }
  }
}
