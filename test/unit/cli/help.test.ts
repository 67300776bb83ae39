import { describe, expect, test } from "bun:test";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { commandNames, flagOf, lineOf } from "../../../src/cli/commands.ts";
import { helpText } from "../../../src/cli/help.ts";

describe("-help", () => {
  test("names every command, and that of cluster those of a cluster", () => {
    for (const name of commandNames) {
      expect(helpText()).toContain(`\n  ${name} `);
      expect(helpText("cluster").includes(`\n  ${name} `)).toBe(name.startsWith("cluster "));
    }
  });

  test.each(commandNames)(
    "of %s tells its flags, exit statuses and an example that it takes",
    (name) => {
      const text = helpText(name);
      const { flags, operands, example } = lineOf(name);
      expect(text).toContain(["usage: number-dispenser", name, ...operands].join(" "));
      for (const flag of flags) expect(text).toContain(`\n  -${flag} `);
      for (const flag of flags) expect(text).toContain(flagOf(flag).help);
      expect(text).toMatch(/\nExit status: 0 .*; 1: .*; 2: bad usage\.\n/);
      expect(text).toContain(`\n  number-dispenser ${example}\n`);
      expect(parseArguments(example.split(" ")).command).toBe(name);
    },
  );
});
