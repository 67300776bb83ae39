import { expect, test } from "bun:test";
import { inRealTime, type World } from "../../src/cluster/world.ts";
import { loadConfig } from "../../src/config/load.ts";
import { LocalCatalog } from "../../src/engine/local-catalog.ts";
import { Service } from "../../src/service.ts";
import { encodeRequest } from "../../testkit/resp.ts";
import { noTimers, Turns } from "../../testkit/turns.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { clockOf, silent, startInMemory } from "../support/server.ts";

const config = { ...loadConfig(new Map([["config", "/dev/null"]]), {}), addr: [] };

function worldOn(store: MemoryStore, more: Partial<World<MemoryStore>> = {}): World<MemoryStore> {
  return {
    ...inRealTime,
    log: silent,
    every: noTimers,
    openStore: () => store,
    onShutdown: () => {},
    onFatal: (error) => {
      throw error;
    },
    ...more,
  };
}

/** A client that takes everything. */
function clientOf(service: Service<MemoryStore>) {
  let received = "";
  const nothing = () => {};
  const transport = {
    write: (bytes: Uint8Array, from: number, count: number) => {
      received += Buffer.from(bytes.subarray(from, from + count)).toString();
      return count;
    },
    ...{ end: nothing, shutdown: nothing, terminate: nothing, pause: nothing, resume: nothing },
  };
  const ends = { address: "a", localAddress: "b", host: "a", isLocal: true };
  const connection = service.server.resp.connect(transport, ends);
  return {
    ask: (...words: string[]) => connection.receive(Buffer.from(encodeRequest(...words))),
    received: () => received,
  };
}

test("a node alone serves at once, in turns of whoever opened it", () => {
  const { schedule, end } = new Turns();
  // A clock that stands still: no command takes so long that the next one has to queue up.
  const clock = clockOf(() => 0);
  const service = Service.open(config, worldOn(new MemoryStore(), { schedule, clock }));
  expect(service.start()).toBeUndefined();
  expect([service.server.port, service.server.addresses]).toEqual([0, []]);
  const client = clientOf(service);
  client.ask("HSET", "x", "type", "3");
  client.ask("GET", "x");
  expect(client.received()).toBe("");
  end();
  expect(client.received()).toBe(":1\r\n$1\r\n0\r\n");
});

test("a clean stop saves what is known, and answers how many numbers it skipped", async () => {
  const store = new MemoryStore();
  const { schedule, end } = new Turns();
  const service = Service.open(config, worldOn(store, { schedule }));
  service.start();
  const client = clientOf(service);
  client.ask("HSET", "x", "type", "3", "auto_disk", "pre_close");
  for (let taken = 0; taken < 100; taken++) client.ask("GET", "x");
  end();
  expect(await service.stop()).toBe(0n);
  const next = Service.open(config, worldOn(store.reopen()));
  expect(next.engine.find("x")!.position).toBe(100n);
});

test("what a crash cost is on disk even where the server then cannot start", async () => {
  const crashed = new MemoryStore();
  const before = Service.open(config, worldOn(crashed));
  new LocalCatalog(before.engine).define("x", new Map([["type", "3"]]));
  before.engine.take(before.engine.find("x")!, new Uint8Array(20), 0);
  before.engine.commit();
  const taken = startInMemory();
  const addr = [{ host: "127.0.0.1", port: taken.port }];
  const store = crashed.reopen();
  const logged: string[] = [];
  const warning = (event: string) => void logged.push(event);
  const log = { ...silent, warning };
  const service = Service.open({ ...config, addr }, worldOn(store, { log }));
  expect(store.crashed).toBe(true);
  expect(() => service.start()).toThrow("the address is in use");
  expect(logged.at(-1)).toBe("recovered from a crash");
  expect(store.reopen().crashed).toBe(false);
  await taken.server.stop();
});
