import { describe, expect, test } from "bun:test";
import { UnauthenticatedClients } from "../../../../src/server/net/unauthenticated.ts";

function setUp() {
  const clients = new UnauthenticatedClients();
  const dismissed: string[] = [];
  const make = (name: string, host = "10.0.0.1") => ({
    host,
    giveWay: () => void dismissed.push(name),
  });
  const add = (name: string, host?: string, networkMax = 3) => {
    const client = make(name, host);
    clients.add(client, networkMax);
    return client;
  };
  return { clients, dismissed, add };
}

describe("clients that have not logged in", () => {
  test("of one address are as many as the limit: of more the oldest gives way", () => {
    const { clients, dismissed, add } = setUp();
    for (const name of ["a", "b", "c", "d", "e"]) add(name);
    expect([dismissed, clients.size]).toEqual([["a", "b"], 3]);
  });

  test("that were silent give way before those that spoke, and those before a new one", () => {
    const { clients, dismissed, add } = setUp();
    const [a, , c] = ["a", "b", "c"].map((name) => add(name));
    clients.spoke(a!);
    add("d");
    expect(dismissed).toEqual(["b"]);
    clients.spoke(c!);
    clients.spoke(add("e"));
    expect(dismissed).toEqual(["b", "d"]);
    // All have spoken: a new one has to have the time to say who it is.
    add("f");
    expect([dismissed, clients.size]).toEqual([["b", "d", "a"], 3]);
  });

  test("of other addresses are not counted with them; a /64 of IPv6 is one", () => {
    const { clients, dismissed, add } = setUp();
    for (let count = 0; count < 5; count++) add(`v4 ${count}`, `10.0.0.${count}`);
    expect(dismissed).toEqual([]);
    for (let count = 0; count < 5; count++) add(`v6 ${count}`, `2001:db8:0:1::${count}`);
    expect(dismissed).toEqual(["v6 0", "v6 1"]);
    add("another network", "2001:db8:0:2::1");
    expect(clients.size).toBe(9);
  });

  test("with a limit of one are replaced, each by the next", () => {
    const { clients, dismissed, add } = setUp();
    for (const name of ["a", "b", "c"]) add(name, "::1", 1);
    expect([dismissed, clients.size]).toEqual([["a", "b"], 1]);
    expect(clients.makePlace()).toBe(true);
    expect([dismissed, clients.size]).toEqual([["a", "b", "c"], 0]);
  });

  test("under a limit that was lowered do not all go at once, but one for each that comes", () => {
    const { clients, dismissed, add } = setUp();
    for (const name of ["a", "b", "c"]) add(name);
    add("d", undefined, 1);
    expect([dismissed, clients.size]).toEqual([["a"], 3]);
  });

  test("make place for a client of any address, the oldest silent one first", () => {
    const { clients, dismissed, add } = setUp();
    clients.spoke(add("a", "10.0.0.1"));
    add("b", "10.0.0.2");
    clients.spoke(add("c", "10.0.0.3"));
    add("d", "10.0.0.4");
    while (clients.makePlace()) {}
    expect(dismissed).toEqual(["b", "d", "a", "c"]);
    expect([clients.makePlace(), clients.size]).toEqual([false, 0]);
  });

  test("that log in or leave are forgotten, silent or not, and count no more", () => {
    const { clients, dismissed, add } = setUp();
    const [a, b] = [add("a"), add("b")];
    clients.spoke(a);
    for (const client of [a, b, a]) clients.delete(client);
    clients.spoke(a);
    expect(clients.size).toBe(0);
    for (const name of ["c", "d", "e"]) add(name);
    expect(dismissed).toEqual([]);
  });
});
