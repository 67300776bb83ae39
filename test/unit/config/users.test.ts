/** What the settings' file says of users, and how it is refused. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/load.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

describe("users in the file that are none", () => {
  const cases: [string, string][] = [
    [
      "    a b: { password: x, rights: [take] }",
      "3: access.users: 'a b': user names are printable ASCII without spaces, and not 'default'",
    ],
    [
      "    default: { password: x, rights: [take] }",
      "3: access.users: 'default': user names are printable ASCII without spaces, and not 'default'",
    ],
    [
      "    shop:\n      rights: [take]",
      "4: access.users.shop.password must be a password, or sha256: and 64 hexadecimal digits",
    ],
    [
      "    shop:\n      password: sha256:12\n      rights: [take]",
      "4: access.users.shop.password must be a password, or sha256: and 64 hexadecimal digits",
    ],
    [
      "    shop:\n      password: x",
      "4: access.users.shop.rights must be some of take, inspect, verify, create, manage, define, admin",
    ],
    [
      "    shop:\n      password: x\n      rights: [take, fly]",
      "5: access.users.shop.rights must be some of take, inspect, verify, create, manage, define, admin",
    ],
    [
      "    shop:\n      password: x\n      rights: take\n      names: []",
      "6: access.users.shop.names must be patterns of names, as 'order:*'",
    ],
    ["    shop:\n      pass: x", "4: unknown setting 'access.users.shop.pass'"],
  ];
  test.each(cases)("are refused with their line: %p", (text, message) => {
    const file = join(temporaryFolder(), "config.yaml");
    writeFileSync(file, `access:\n  users:\n${text}\n`);
    let refusal = "";
    try {
      loadConfig(new Map([["config", file]]), {});
    } catch (thrown) {
      refusal = (thrown as Error).message;
    }
    expect(refusal).toBe(`${file}:${message}`);
    expect(refusal).not.toContain("sha256:12");
  });
});
