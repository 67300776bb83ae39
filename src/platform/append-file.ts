/**
 * A file of lines that only grows, and that another program may move away (log rotation): reopen()
 * then begins a new one at its path.
 */

import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { CannotStart, reasonOf } from "../base/errors.ts";
import { PRIVATE_FILE } from "./files.ts";

const { O_WRONLY, O_CREAT, O_APPEND, O_NONBLOCK } = constants;

export class AppendFile {
  /** Called once when lines begin to be lost, with the reason. */
  onLost: (reason: string) => void = () => {};
  private readonly path: string;
  private descriptor: number;
  private isLosing = false;

  /** Throws CannotStart if the file cannot be opened, or is not a regular file. */
  constructor(path: string) {
    this.path = path;
    this.descriptor = this.open();
  }

  write(line: string): void {
    try {
      writeSync(this.descriptor, `${line}\n`);
      this.isLosing = false;
    } catch (error) {
      if (!this.isLosing) this.onLost(reasonOf(error));
      this.isLosing = true;
    }
  }

  /** Throws CannotStart, and then goes on in the old file. */
  reopen(): void {
    const before = this.descriptor;
    this.descriptor = this.open();
    closeSync(before);
  }

  private open(): number {
    try {
      // Opening a FIFO would wait for its reader, and a full one would hold up the server.
      const flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK;
      const descriptor = openSync(this.path, flags, PRIVATE_FILE);
      if (fstatSync(descriptor).isFile()) return descriptor;
      closeSync(descriptor);
    } catch (error) {
      throw new CannotStart(`cannot write ${this.path}: ${reasonOf(error)}`);
    }
    throw new CannotStart(`cannot write ${this.path}: it is not a regular file`);
  }
}
