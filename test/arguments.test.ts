import { describe, expect, test } from "bun:test";
import { parseArguments } from "../src/arguments.ts";
import { UsageError } from "../src/config-file.ts";

describe("the command line", () => {
  test("runs the server where it names no command", () => {
    const flags = new Map([["addr", ":1"]]);
    for (const argv of [["-addr", ":1"], ["--addr=:1"], ["server", "-addr", ":1"]])
      expect(parseArguments(argv)).toEqual({ command: "server", operands: [], flags });
  });

  test("has commands with operands, flags and switches, in any order", () => {
    expect(parseArguments(["restore", "-confirm", "x.db", "-margin", "7"])).toEqual({
      command: "restore",
      operands: ["x.db"],
      flags: new Map([
        ["confirm", ""],
        ["margin", "7"],
      ]),
    });
    expect(parseArguments(["backup", "x.db"])).toEqual({
      command: "backup",
      operands: ["x.db"],
      flags: new Map(),
    });
  });

  test("shows -help and -version whatever else is there", () => {
    expect(parseArguments(["-addr", ":1", "--help"]).command).toBe("help");
    expect(parseArguments(["restore", "-help"]).command).toBe("help");
    expect(parseArguments(["-version", "nonsense"]).command).toBe("version");
  });

  test.each([
    [["serve"], "unexpected argument 'serve'; see -help"],
    [["-adr", "x"], "unknown flag -adr; see -help"],
    [["-addr"], "flag -addr needs a value; see -help"],
    [["backup"], "backup needs FILE; see -help"],
    [["cluster"], "cluster needs one of join, leave, nodes, forget, advance; see -help"],
    [["cluster", "forget"], "cluster forget needs NODE; see -help"],
    [["backup", "a", "b"], "unexpected argument 'b'; see -help"],
    [["backup", "a", "-margin", "1"], "unknown flag -margin; see -help"],
    [["restore", "a", "-confirm=yes"], "unknown flag -confirm=yes; see -help"],
  ])("%j is refused: %s", (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(new UsageError(message));
  });
});
