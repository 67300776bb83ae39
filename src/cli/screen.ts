/**
 * A terminal that a program has for itself until it ends, whatever ends it: the screen that was
 * there before comes back, with its cursor.
 */

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const TO_LINE_END = "\x1b[K";
const TO_SCREEN_END = "\x1b[J";
const CONTROL_C = "\x03";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** What ends the use of a screen: a key, or a signal. */
export type Ending = "quit" | (typeof SIGNALS)[number];

export class Screen {
  private readonly input: NodeJS.ReadStream;
  private readonly output: NodeJS.WriteStream;
  private readonly onKey: (key: string) => void;
  private readonly onResize: () => void;
  private readonly over = Promise.withResolvers<Ending>();
  private readonly handlers = SIGNALS.map(
    (signal) => [signal, () => this.over.resolve(signal)] as const,
  );
  private isOpen = true;

  /** Takes the terminal. `onKey` gets each key but those that end it: q and Ctrl-C. */
  constructor(
    input: NodeJS.ReadStream,
    output: NodeJS.WriteStream,
    onKey: (key: string) => void,
    onResize: () => void,
  ) {
    this.input = input;
    this.output = output;
    this.onKey = onKey;
    this.onResize = onResize;
    for (const [signal, handler] of this.handlers) process.on(signal, handler);
    output.on("resize", this.onResize);
    // A terminal that is gone takes nothing any more.
    output.on("error", () => this.over.resolve("SIGHUP"));
    if (input.isTTY) {
      input.setRawMode(true);
      input.setEncoding("utf8");
      input.on("data", this.keys);
      input.resume();
    }
    output.write(ENTER);
  }

  get width(): number {
    return this.output.columns || 80;
  }

  get height(): number {
    return this.output.rows || 24;
  }

  /** What ended the use of the screen, once something has. */
  get ended(): Promise<Ending> {
    return this.over.promise;
  }

  /** Shows these lines, each of them no wider than the screen. */
  show(lines: readonly string[]): void {
    if (!this.isOpen) return;
    const shown = lines.slice(0, this.height).map((line) => line + TO_LINE_END);
    this.output.write(HOME + shown.join("\r\n") + TO_SCREEN_END);
  }

  /** Gives the terminal back as it was. */
  async close(): Promise<void> {
    this.isOpen = false;
    for (const [signal, handler] of this.handlers) process.removeListener(signal, handler);
    this.output.removeListener("resize", this.onResize);
    if (this.input.isTTY) {
      this.input.removeListener("data", this.keys);
      this.input.setRawMode(false);
      this.input.pause();
    }
    await new Promise<void>((resolve) => void this.output.write(LEAVE, () => resolve()));
  }

  private readonly keys = (text: string | Buffer) => {
    for (const key of String(text)) {
      if (key === CONTROL_C) this.over.resolve("SIGINT");
      else if (key === "q" || key === "Q") this.over.resolve("quit");
      else this.onKey(key);
    }
  };
}
