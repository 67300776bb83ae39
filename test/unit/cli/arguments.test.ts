import { describe, expect, test } from "bun:test";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { UsageError } from "../../../src/config/file.ts";

const clusterNeeds = (meant: string) =>
  `cluster needs one of join, leave, nodes, forget, advance${meant}; see cluster -help`;

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

  test.each(["-x", "--json", "-", "--", "-1", "", "a=b", "x\ny"])(
    "takes %j as a value",
    (value) => {
      for (const argv of [
        ["-match", value],
        ["--match", value],
        [`-match=${value}`],
        [`--match=${value}`],
      ]) {
        const { flags, operands } = parseArguments(["import", ...argv, "x.json"]);
        expect([[...flags], operands]).toEqual([[["match", value]], ["x.json"]]);
      }
    },
  );

  test("shows -help and -version whatever else is there", () => {
    expect(parseArguments(["-addr", ":1", "--help"]).command).toBe("help");
    for (const flag of ["-help", "--help", "-h"]) {
      expect(parseArguments(["restore", flag])).toMatchObject({
        command: "help",
        topic: "restore",
      });
      expect(parseArguments(["cluster", flag])).toMatchObject({
        command: "help",
        topic: "cluster",
      });
      expect(parseArguments([flag])).toMatchObject({ command: "help", topic: undefined });
    }
    expect(parseArguments(["help"])).toMatchObject({ command: "help", topic: undefined });
    for (const topic of ["restore", "cluster", "cluster join"] as const) {
      const words = ["help", ...topic.split(" ")];
      expect(parseArguments(words)).toMatchObject({ command: "help", topic });
    }
    expect(parseArguments(["help", "-help"])).toMatchObject({ command: "help", topic: "help" });
    expect(parseArguments(["version"]).command).toBe("version");
    expect(parseArguments(["-version", "nonsense"]).command).toBe("version");
  });

  test.each([
    [["serve"], "there is no command 'serve' (did you mean server?); see -help"],
    [["-addr", ":1", "x"], "unexpected argument 'x'; see -help"],
    [["-adr", "x"], "unknown flag -adr (did you mean -addr?); see -help"],
    [["helth"], "there is no command 'helth' (did you mean health?); see -help"],
    [["HEALTH"], "there is no command 'HEALTH' (did you mean health?); see -help"],
    [["improt"], "there is no command 'improt' (did you mean import?); see -help"],
    [["clutser", "join"], "there is no command 'clutser' (did you mean cluster?); see -help"],
    [["xyz"], "there is no command 'xyz'; see -help"],
    [["help", "bakcup"], "there is no command 'bakcup' (did you mean backup?); see -help"],
    [["help", "backup", "x"], "unexpected argument 'x'; see help -help"],
    [["help", "cluster", "x"], clusterNeeds("")],
    [["cluster", "nods"], clusterNeeds(" (did you mean nodes?)")],
    [["version", "x"], "unexpected argument 'x'; see version -help"],
    [["health", "--jsno"], "unknown flag --jsno (did you mean -json?); see health -help"],
    [["-1", "-h"], "unexpected argument '-1'; see -help"],
    [["--"], "unexpected argument '--'; see -help"],
    [["redis://u:pw@h/0"], "unexpected argument 'redis://h/0'; see -help"],
    [["import", "redis://u:pw@h"], "FILE is not a URL; see import -help"],
    [["-stroe=etcd://u:pw@h:1"], "unknown flag -stroe (did you mean -store?); see -help"],
    [["--constructor"], "unknown flag --constructor; see -help"],
    [["-addr"], "flag -addr needs a value; see -help"],
    [["backup"], "backup needs FILE; see backup -help"],
    [["cluster"], clusterNeeds("")],
    [["cluster", "forget"], "cluster forget needs NODE; see cluster forget -help"],
    [["backup", "a", "b"], "unexpected argument 'b'; see backup -help"],
    [["backup", "a", "-margin", "1"], "unknown flag -margin; see backup -help"],
    [["restore", "a", "-confirm=yes"], "flag -confirm takes no value; see restore -help"],
  ])("%j is refused: %s", (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(new UsageError(message));
  });
});
