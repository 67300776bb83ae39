import { describe, expect, test } from "bun:test";
import { RESERVED_PLACES } from "../../../src/server/net/admission.ts";
import { fromSource, ServerProcess } from "../../../testkit/process.ts";
import { ReplyError, TestClient } from "../../../testkit/resp.ts";
import { noCertificates } from "../../support/certificates.ts";
import { noPostgres } from "../../support/installed.ts";
import { Attacker } from "./attacker.ts";
import { attacks } from "./attacks.ts";
import { bestOf, GET_MS_MAX, LOG_IN_MS_MAX } from "./siege.ts";

/** A twentieth of the sizes that were once found to do harm; `bun run hostile` has twice those. */
const SCALE = 0.05;
const TRIES = 10;
const TIMEOUT_MS = 60_000;

describe.skipIf(process.platform !== "linux")("another client hardly notices", () => {
  const possible = attacks.filter(
    ({ hasTls = false, hasStore = false }) =>
      !(hasTls && noCertificates) && !(hasStore && noPostgres),
  );
  test.each([...possible])(
    "$name",
    async (attack) => {
      const { ahead, arrivals } = await bestOf(TRIES, attack, SCALE);
      expect(ahead.max).toBeLessThan(GET_MS_MAX);
      expect(arrivals.max).toBeLessThan(LOG_IN_MS_MAX);
    },
    TIMEOUT_MS,
  );
});
test.skipIf(process.platform !== "linux")(
  "the limit on open files is never reached: clients past it are told so",
  async () => {
    const program = ["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", ...fromSource];
    const server = await ServerProcess.start({ program });
    const first = await TestClient.connect(server.port);
    expect(await first.command("CONFIG", "GET", "maxclients")).toEqual(["maxclients", "136"]);
    expect(server.log).toContain("fewer clients than limits.clients");
    const crowd = [];
    for (let count = 0; count < 135; count++) crowd.push(await Attacker.connect(server.port));
    expect(await first.command("PING")).toBe("PONG");
    // Those on this machine get a few places more, as long as they are not silent there.
    const reserved: TestClient[] = [];
    for (let count = 0; count < RESERVED_PLACES; count++) {
      reserved.push(await TestClient.connect(server.port));
    }
    for (let count = 0; count < 100; count++) {
      for (const each of reserved) expect(await each.command("PING")).toBe("PONG");
      const late = await TestClient.connect(server.port);
      expect(await late.next()).toEqual(new ReplyError("ERR max number of clients reached"));
      await late.closed;
    }
    expect(await first.info("clients")).toMatchObject({ connected_clients: "144" });
    for (const each of reserved) each.close();
    for (const each of crowd) each.reset();
    while (Number((await first.info("clients")).connected_clients) > 1) await first.command("PING");
    const again = await TestClient.connect(server.port);
    expect(await again.command("PING")).toBe("PONG");
    expect(await server.end("SIGTERM")).toBe(0);
  },
  TIMEOUT_MS,
);
