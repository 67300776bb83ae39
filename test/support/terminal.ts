/** A terminal in memory: what a program writes to it, and keys that a test presses. */

import { EventEmitter } from "node:events";
import type { Terminal } from "../../src/cli/top.ts";

export class FakeTerminal implements Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** All that was written, with the terminal's escape sequences. */
  written = "";
  isRaw = false;
  isReading = false;

  constructor(isTTY: boolean, columns = 100, rows = 20) {
    this.input = Object.assign(new EventEmitter(), {
      isTTY,
      setRawMode: (isRaw: boolean) => {
        this.isRaw = isRaw;
      },
      setEncoding() {},
      resume: () => {
        this.isReading = true;
      },
      pause: () => {
        this.isReading = false;
      },
    }) as unknown as NodeJS.ReadStream;
    this.output = Object.assign(new EventEmitter(), {
      ...{ isTTY, columns, rows },
      write: (text: string, done?: () => void) => {
        this.written += text;
        done?.();
        return true;
      },
    }) as unknown as NodeJS.WriteStream;
  }

  press(keys: string): void {
    this.input.emit("data", keys);
  }

  /** The window gets another size. */
  resize(columns: number, rows: number): void {
    Object.assign(this.output, { columns, rows });
    this.output.emit("resize");
  }

  /** The window is closed. */
  vanish(): void {
    this.output.emit("error", new Error("EIO"));
  }

  /** The lines of the last picture. */
  get shown(): string[] {
    const picture = this.written.slice(this.written.lastIndexOf("\x1b[H") + 3);
    return picture.slice(0, picture.indexOf("\x1b[J")).split("\x1b[K\r\n").map(withoutEnd);
  }
}

const withoutEnd = (line: string) => line.replace("\x1b[K", "");
