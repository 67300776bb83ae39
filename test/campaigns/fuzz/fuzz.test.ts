import { describe, expect, test } from "bun:test";
import { anySeed } from "../../support/arguments.ts";
import { fuzz } from "./history.ts";
import { readRequest } from "./reference.ts";
import { ReplyReader } from "./replies.ts";

/** FUZZ_SEED=n FUZZ_RUNS=m replays a failure here; so does `bun run fuzz`. */
const seed = Number(process.env.FUZZ_SEED ?? anySeed());
const runs = Number(process.env.FUZZ_RUNS ?? 20_000);
const TIMEOUT_MS = 60_000 + runs;

test(
  `every reply is in step for ${runs} inputs, FUZZ_SEED=${seed}`,
  () => fuzz(seed, runs),
  TIMEOUT_MS,
);

// They are the judges, so a few of their rules are shown by themselves.
describe("the reader of requests beside the server's, and that of replies", () => {
  const limits = { requestBytesMax: 100, requestArgumentsMax: 3 };
  const read = (bytes: string, isUnauthenticated = false) =>
    readRequest(bytes, 0, limits, isUnauthenticated);
  const request = (...words: string[]) => expect.objectContaining({ kind: "request", words });
  const broken = (text: string) => ({ kind: "error", text });

  test.each([
    ["*1\r\n$4\r\nPING\r\n", request("PING")],
    ["*-7\r\n", request()],
    ["*1\r\n$4\r\nPING", { kind: "incomplete" }],
    ["*1\0\r\n", { kind: "incomplete" }],
    ["*1\r\n$4\r\nPINGxx", broken("expected CRLF after the bulk string")],
    ["*4\r\n", broken("invalid multibulk length")],
    ["*1\r\n$04\r\n", broken("invalid bulk length")],
    ["*1\r\n$94\r\n", broken("invalid bulk length")],
    ["*1\r\n\n4\r\n", broken("expected '$', got ' '")],
    [`PING ${"x".repeat(96)}\n`, broken("too big inline request")],
    ["a\vb 'c\\'d'\v\"\\x41\\n\"\r\n", request("a\vb", "c'd", "A\n")],
    ["'a'b\n", broken("unbalanced quotes in request")],
    ["'a\\' \n", broken("unbalanced quotes in request")],
  ])("%j is read as Redis reads it", (bytes, found) => {
    expect(read(bytes)).toEqual(found as never);
  });

  test.each([
    "$3\r\nab\r\n\r",
    ":01\r\n",
    "*-1\r\n",
    "+a\nb\r\n",
    "$-2\r\n",
    "=3\r\nabc\r\n",
    "?\r\n",
  ])("a reply of %j is malformed", (bytes) => {
    expect(() => new ReplyReader(bytes).read()).toThrow("malformed");
  });
});
