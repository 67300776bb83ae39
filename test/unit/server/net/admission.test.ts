/** Who is let in, in whose place, and what those are told who are not. The sockets are the test's. */

import { afterEach, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import type { Address } from "../../../../src/config/address.ts";
import { parsePassword } from "../../../../src/config/kinds.ts";
import type { Config } from "../../../../src/config/settings.ts";
import type { Session } from "../../../../src/server/commands/command.ts";
import { Admission, denialFor, RESERVED_PLACES } from "../../../../src/server/net/admission.ts";
import { Turns } from "../../../../testkit/turns.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { clockOf, startLocal } from "../../../support/server.ts";

const TOO_MANY = "-ERR max number of clients reached\r\n";
const secret = { requirepass: parsePassword("secret")! };

class FakeSocket {
  data: Session | undefined;
  sent = "";
  isShut = false;
  isEnded = false;
  isTerminated = false;
  readonly localAddress = "192.0.2.1";
  readonly localPort = 8379;
  readonly remotePort = 1;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    this.remoteAddress = remoteAddress;
  }

  write(bytes: string): number {
    this.sent += bytes;
    return bytes.length;
  }

  shutdown(): void {
    this.isShut = true;
  }

  end(): void {
    this.isEnded = true;
  }

  terminate(): void {
    this.isTerminated = true;
  }
}

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

function setUp(overrides: Partial<Config> = {}) {
  let nowMs = 0;
  const turns = new Turns();
  const settings = { clientsMax: 3, protectedMode: false, ...overrides };
  const { server, logged } = startLocal(new MemoryStore(), settings, {
    clock: clockOf(() => nowMs),
    schedule: turns.schedule,
    every: () => () => {},
  });
  running.push(() => server.stop());
  const letIn: { socket: FakeSocket; isReserved: boolean }[] = [];
  const admission = new Admission<Session | undefined>(
    server,
    (real, endpoints, { isReserved }) => {
      const socket = real as unknown as FakeSocket;
      const session = { address: endpoints.address, lastActiveMs: nowMs } as Session;
      server.sessions.add(session);
      socket.data = session;
      const giveWay = () => leave(socket);
      if (isReserved) admission.reserved.add({ host: endpoints.host, giveWay, session });
      letIn.push({ socket, isReserved });
    },
  );
  const real = (socket: FakeSocket) => socket as unknown as Socket<Session | undefined>;
  const tcp: Address = { host: "192.0.2.1", port: 8379 };
  /** A socket that arrives, and is admitted if there is a place. */
  const arrive = (from = "198.51.100.1", listening: Address = tcp, isTls = false) => {
    const socket = new FakeSocket(from);
    admission.arrive(real(socket), listening, isTls);
    while (turns.isDue) turns.end();
    return socket;
  };
  const leave = (socket: FakeSocket) => {
    if (socket.data !== undefined) server.sessions.delete(socket.data);
    for (const each of admission.reserved) {
      if (each.session === socket.data) admission.reserved.delete(each);
    }
    admission.closed(real(socket));
  };
  const sleep = (milliseconds: number) => {
    nowMs += milliseconds;
    admission.sweep();
  };
  return { server, logged, admission, letIn, arrive, leave, sleep, real };
}

describe("a client too many", () => {
  test("is told so and sees FIN; its socket is kept until it has closed, or for five seconds", () => {
    const { admission, arrive, leave, sleep, server, letIn } = setUp();
    for (let count = 0; count < 3; count++) arrive();
    const [first, second] = [arrive(), arrive()];
    expect([first.sent, first.isShut, first.isEnded]).toEqual([TOO_MANY, true, false]);
    expect([letIn.length, admission.lingering.size]).toEqual([3, 2]);
    expect(server.counters.refusedConnections).toBe(2);
    leave(first);
    expect(admission.lingering.size).toBe(1);
    sleep(5000);
    expect(second.isEnded).toBe(false);
    sleep(1);
    expect([first.isEnded, second.isEnded, admission.lingering.size]).toEqual([false, true, 0]);
  });

  test("over TLS is told nothing, as there is no handshake yet", () => {
    const { arrive } = setUp();
    for (let count = 0; count < 3; count++) arrive();
    const socket = arrive("198.51.100.1", { host: "192.0.2.1", port: 8380 }, true);
    expect([socket.sent, socket.isShut]).toEqual(["", true]);
  });

  test("is one line of the log, until places are free again", () => {
    const { admission, arrive, leave, sleep, server, logged } = setUp();
    server.configure({ clientsMax: 20 });
    const clients = Array.from({ length: 20 }, () => arrive());
    for (let count = 0; count < 5; count++) arrive();
    expect([admission.isFull, logged]).toEqual([
      true,
      ["warning full: new clients are refused clients=20 limit=20"],
    ]);
    leave(clients.pop()!);
    sleep(1000);
    // Not with each place that is free and taken again.
    expect([admission.isFull, logged.length]).toEqual([true, 1]);
    leave(clients.pop()!);
    sleep(1000);
    expect(admission.isFull).toBe(false);
    expect(logged[1]).toBe("info new clients are let in again refused=5");
    for (let count = 0; count < 3; count++) arrive();
    expect(logged[2]).toBe("warning full: new clients are refused clients=20 limit=20");
  });

  test("of many lets the one that was refused first go, as sockets are few", () => {
    const { admission, arrive } = setUp();
    for (let count = 0; count < 3; count++) arrive();
    const refused = Array.from({ length: 40 }, () => arrive());
    expect(admission.lingering.size).toBe(32);
    expect(refused.map(({ isEnded }) => isEnded)).toEqual([
      ...Array(8).fill(true),
      ...Array(32).fill(false),
    ]);
  });
});

describe("a place past limits.clients", () => {
  test.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])(
    `is there for %s, ${RESERVED_PLACES} times, and for nobody from elsewhere`,
    (local) => {
      const { arrive, letIn, leave } = setUp();
      for (let count = 0; count < 3; count++) arrive();
      expect(arrive().sent).toBe(TOO_MANY);
      const reserved = Array.from({ length: RESERVED_PLACES }, () => arrive(local));
      expect(letIn.map(({ isReserved }) => isReserved)).toEqual([
        ...Array(3).fill(false),
        ...Array(RESERVED_PLACES).fill(true),
      ]);
      expect(arrive(local).sent).toBe(TOO_MANY);
      leave(reserved[0]!);
      expect(arrive().sent).toBe(TOO_MANY);
      expect(arrive(local).data).toBeDefined();
    },
  );

  test("goes to another on this machine once the client in it was silent for a second", () => {
    const { arrive, server, sleep } = setUp();
    for (let count = 0; count < 3; count++) arrive();
    const [first, ...others] = Array.from({ length: RESERVED_PLACES }, () => arrive("127.0.0.1"));
    sleep(999);
    expect(arrive("127.0.0.1").sent).toBe(TOO_MANY);
    for (const { data } of others) Object.assign(data!, { lastActiveMs: 999 });
    sleep(1);
    const next = arrive("127.0.0.1");
    expect([next.sent, server.sessions.size]).toEqual(["", 3 + RESERVED_PLACES]);
    expect(server.sessions.has(first!.data!)).toBe(false);
    expect(arrive("127.0.0.1").sent).toBe(TOO_MANY);
  });

  test("is no place that others get: who came into it without a log-in does not give way to them", () => {
    const { arrive, server } = setUp(secret);
    for (let count = 0; count < 3; count++) arrive();
    const administrator = arrive("127.0.0.1");
    expect(arrive().sent).toBe(TOO_MANY);
    expect(server.sessions.has(administrator.data!)).toBe(true);
  });

  test("is there for a unix socket, and goes to nobody while there are others", () => {
    const { arrive, letIn, server } = setUp();
    const unix: Address = { unix: "/run/socket" };
    for (let count = 0; count < 4; count++) arrive("", unix);
    expect(letIn.map(({ isReserved }) => isReserved)).toEqual([false, false, false, true]);
    // Raised while the server runs.
    server.configure({ clientsMax: 10 });
    arrive("", unix);
    expect(letIn.at(-1)!.isReserved).toBe(false);
  });
});

describe("where a client that has not logged in is there", () => {
  test("it gives way: a handshake under way, too", () => {
    const { arrive, admission, letIn } = setUp(secret);
    const tls: Address = { host: "192.0.2.1", port: 8380 };
    const shaking = arrive("198.51.100.1", tls, true);
    const others = [arrive(), arrive()];
    expect([letIn.length, admission.unauthenticated.size]).toEqual([2, 1]);
    arrive();
    expect([shaking.isTerminated, letIn.length]).toEqual([true, 3]);
    expect([admission.unauthenticated.size, admission.isFull]).toEqual([0, false]);
    expect(others.some(({ isTerminated }) => isTerminated)).toBe(false);
    expect(arrive().sent).toBe(TOO_MANY);
  });

  test("handshakes of one address have a limit, and those of IPv4 over :: are no one address", () => {
    const { arrive } = setUp({ ...secret, clientsMax: 100, unauthenticatedPerAddressMax: 2 });
    const tls: Address = { host: "::", port: 8380 };
    const shaking = (from: string) => arrive(from, tls, true);
    const [first, ...others] = [
      ...["::ffff:198.51.100.1", "::ffff:198.51.100.2", "::ffff:198.51.100.3"],
      ...["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"],
      ...["::ffff:198.51.100.1", "::ffff:198.51.100.1"],
    ].map(shaking);
    expect(first!.isTerminated).toBe(true);
    expect(others.filter(({ isTerminated }) => isTerminated)).toEqual([]);
  });

  test("a handshake that takes more than ten seconds is over", () => {
    const { arrive, sleep } = setUp();
    const socket = arrive("198.51.100.1", { host: "192.0.2.1", port: 8380 }, true);
    sleep(10_000);
    expect(socket.isTerminated).toBe(false);
    sleep(1);
    expect(socket.isTerminated).toBe(true);
  });
});

describe("protected mode", () => {
  test("lets in who is on this machine, and tells others why not, with FIN", () => {
    const { arrive, letIn, admission } = setUp({ protectedMode: true });
    arrive("127.0.0.1");
    const stranger = arrive("198.51.100.1");
    expect(letIn).toHaveLength(1);
    expect(stranger.sent).toMatch(/^-DENIED .*protected mode.*\r\n$/);
    expect([stranger.isShut, stranger.isEnded, stranger.isTerminated]).toEqual([
      true,
      false,
      false,
    ]);
    expect(admission.lingering.size).toBe(1);
  });

  test("is over where a password is set, or where it is switched off", () => {
    for (const overrides of [{ protectedMode: true, ...secret }, { protectedMode: false }]) {
      const { arrive, letIn } = setUp(overrides);
      arrive("198.51.100.1");
      expect(letIn).toHaveLength(1);
    }
    expect(denialFor(false, true)?.why).toBe("protected mode");
    for (const [isLocal, isProtected] of [
      [true, true],
      [true, false],
      [false, false],
    ] as const) {
      expect(denialFor(isLocal, isProtected)).toBeUndefined();
    }
  });
});
