import { describe, expect, test } from "bun:test";
import { hidden, looksLikeUrl, readServiceUrl, shownText } from "../../../src/base/secrets.ts";

describe("a URL", () => {
  test("is read into its parts, and shown without user, password and query", () => {
    expect(readServiceUrl("etcd://me:p%40ss@a:1,[::1]:2/orders?tls=true")).toEqual({
      ...{ scheme: "etcd", user: "me", password: "p@ss", hosts: ["a:1", "[::1]:2"] },
      ...{ path: "/orders", query: "tls=true", shown: "etcd://a:1,[::1]:2/orders" },
    });
    expect(readServiceUrl("redis://h")).toMatchObject({ user: undefined, password: undefined });
    expect(readServiceUrl("redis://:pw@h")).toMatchObject({ user: "", password: "pw" });
    expect(readServiceUrl("redis+unix:///run/redis.sock")).toMatchObject({ hosts: [""] });
  });

  test.each([
    ...["postgres://u:p#w@h/db", "postgres://u:p/w@h", "postgres://u:p?w@h", "postgres://u:p@w@h"],
    ...["postgres://u:p%zz@h", "postgres://u:p w@h", "redis://u:pw@h:99999", "redis:///u:pw@:x"],
    ...["redis://u:pw@[::1", "redis://h/%zz", "//u:pw@h", "redis:u:pw@h", "://u:pw@h"],
  ])("%s is none, and is not shown", (text) => {
    expect(readServiceUrl(text)).toBeUndefined();
    expect(shownText(text)).not.toContain("w");
  });

  test("is told from a path", () => {
    for (const text of ["redis://h", "redis:/u:pw@h", "postgres:u@h"])
      expect([text, looksLikeUrl(text)]).toEqual([text, true]);
    for (const text of ["/backups/10:00@host.db", "./a:b@c", "file.db", "C:data"])
      expect([text, looksLikeUrl(text)]).toEqual([text, false]);
  });
});

test("other values are shown as they are, and secrets never", () => {
  expect(shownText("abc")).toBe("abc");
  expect(hidden("with args 'a' 'secret'", "secret", "")).toBe("with args 'a' '…'");
});
