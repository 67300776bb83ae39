/** A program on a terminal: lines are typed, and the screen is read, as a person does it. */

export class Terminal {
  private readonly child: Bun.Subprocess;
  private text = "";
  /** Up to where the text was there when the last line was typed. */
  private seen = 0;
  private hasEnded = false;
  private onChange: () => void = () => {};

  constructor(words: readonly string[], size = { cols: 200, rows: 50 }) {
    const decoder = new TextDecoder();
    this.child = Bun.spawn([...words], {
      env: { ...process.env, TERM: "xterm", REDISCLI_HISTFILE: "/dev/null" },
      terminal: {
        ...size,
        data: (_, bytes) => {
          this.text += decoder.decode(bytes, { stream: true });
          this.onChange();
        },
      },
      onExit: () => {
        this.hasEnded = true;
        this.onChange();
      },
    });
  }

  /** What appeared since the last line was typed. */
  get screen(): string {
    return Bun.stripANSI(this.text.slice(this.seen)).replaceAll("\r", "");
  }

  type(line: string): void {
    this.seen = this.text.length;
    this.child.terminal!.write(`${line}\r`);
  }

  /** All that was written so far, as it was sent to the terminal. */
  get bytes(): string {
    return this.text;
  }

  /** Presses a key, without a line end; what is on the screen from then on is new. */
  press(key: string): void {
    this.seen = this.text.length;
    this.child.terminal!.write(key);
  }

  resize(cols: number, rows: number): void {
    this.seen = this.text.length;
    this.child.terminal!.resize(cols, rows);
  }

  signal(signal: "SIGTERM" | "SIGINT"): void {
    this.child.kill(signal);
  }

  /** The signal that ended it; null where it ended by itself. */
  get endedBy(): unknown {
    return this.child.signalCode;
  }

  /** Waits until this finds something on the screen. */
  async until<Found>(find: (screen: string) => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find(this.screen);
      if (found !== undefined) return found;
      if (this.hasEnded)
        throw new Error(`the program ended, and the screen shows:\n${this.screen}`);
      await new Promise<void>((resolve) => {
        this.onChange = resolve;
      });
    }
  }

  /** Waits until the screen has this. */
  shows(pattern: RegExp): Promise<RegExpExecArray> {
    return this.until((screen) => pattern.exec(screen) ?? undefined);
  }

  /** Its exit status. */
  exited(): Promise<number> {
    return this.child.exited;
  }

  async close(): Promise<void> {
    this.child.kill();
    await this.child.exited;
    this.child.terminal!.close();
  }
}
