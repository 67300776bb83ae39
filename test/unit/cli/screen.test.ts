import { describe, expect, test } from "bun:test";
import { Screen } from "../../../src/cli/screen.ts";
import { FakeTerminal } from "../../support/terminal.ts";

const ENTERED = "\x1b[?1049h\x1b[?25l";
const LEFT = "\x1b[?25h\x1b[?1049l";

function opened(isTTY = true) {
  const terminal = new FakeTerminal(isTTY, 30, 3);
  const keys: string[] = [];
  let resized = 0;
  const { input, output } = terminal;
  const onKey = (key: string) => void keys.push(key);
  const screen = new Screen(input, output, onKey, () => void resized++);
  return { terminal, keys, screen, resized: () => resized };
}

describe("a screen", () => {
  test("takes the terminal, and gives it back as it was", async () => {
    const before = process.listenerCount("SIGINT");
    const { terminal, screen } = opened();
    expect(terminal).toMatchObject({ written: ENTERED, isRaw: true, isReading: true });
    expect(process.listenerCount("SIGINT")).toBe(before + 1);
    await screen.close();
    expect(terminal).toMatchObject({ written: ENTERED + LEFT, isRaw: false, isReading: false });
    expect(process.listenerCount("SIGINT")).toBe(before);
    expect(terminal.input.listenerCount("data")).toBe(0);
    expect(terminal.output.listenerCount("resize")).toBe(0);
  });

  test("shows as many lines as it has, and none once it is closed", async () => {
    const { terminal, screen } = opened();
    screen.show(["one", "two", "three", "four"]);
    expect(terminal.shown).toEqual(["one", "two", "three"]);
    await screen.close();
    const { written } = terminal;
    screen.show(["five"]);
    expect(terminal.written).toBe(written);
  });

  test("passes keys on, and tells of a new size", async () => {
    const { terminal, keys, screen, resized } = opened();
    terminal.press("pu");
    terminal.press("é");
    expect(keys).toEqual(["p", "u", "é"]);
    terminal.resize(120, 40);
    expect(resized()).toBe(1);
    expect([screen.width, screen.height]).toEqual([120, 40]);
    await screen.close();
  });

  test.each([
    ["q", "quit"],
    ["Q", "quit"],
    ["\x03", "SIGINT"],
  ] as const)("ends by the key %j as %s", async (key, ending) => {
    const { terminal, keys, screen } = opened();
    terminal.press(key);
    expect(await screen.ended).toBe(ending);
    expect(keys).toEqual([]);
    await screen.close();
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const)("ends by %s", async (signal) => {
    const { screen } = opened();
    process.emit(signal);
    expect(await screen.ended).toBe(signal);
    await screen.close();
  });

  test("ends when its terminal is gone", async () => {
    const { terminal, screen } = opened();
    terminal.vanish();
    expect(await screen.ended).toBe("SIGHUP");
    await screen.close();
  });

  test("leaves an input alone that is no terminal", async () => {
    const { terminal, screen } = opened(false);
    expect(terminal.isReading).toBe(false);
    expect(terminal.input.listenerCount("data")).toBe(0);
    await screen.close();
  });
});
