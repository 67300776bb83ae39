import { expect, test } from "bun:test";
import { Decoder } from "../../../src/resp/decode.ts";
import { Replies } from "../../../src/resp/encode.ts";
import { free } from "../../../src/resp/ledger.ts";

test("a large buffer is given back at once, one that is small or part of another is not", () => {
  const large = Buffer.allocUnsafeSlow(16 * 1024);
  const small = Buffer.allocUnsafeSlow(16 * 1024 - 1);
  const whole = Buffer.allocUnsafeSlow(64 * 1024);
  const part = whole.subarray(0, 32 * 1024);
  for (const each of [large, small, part]) free(each);
  expect([large.length, small.length, part.length]).toEqual([0, 16 * 1024 - 1, 32 * 1024]);
});

test("replies that are sent leave no large buffer behind", () => {
  const replies = new Replies();
  replies.bulk("x".repeat(1_000_000));
  const { bytes } = replies;
  replies.bulk("x".repeat(3_000_000));
  expect(bytes.length).toBe(0);
  const grown = replies.bytes;
  replies.clear();
  expect(grown.length).toBe(0);
});

test("the chunks of a request are given back when it is copied, and when the client leaves", () => {
  const decoder = new Decoder({ requestBytesMax: 1_000_000, requestArgumentsMax: 10 });
  const chunk = () => Buffer.allocUnsafeSlow(100_000).fill("x");
  const head = chunk();
  const headers = head.write("*2\r\n$4\r\nECHO\r\n$250000\r\n");
  const [second, third, fourth] = [chunk(), chunk(), chunk()];
  third.write("\r\n", 250_000 - (head.length - headers) - second.length);
  for (const each of [head, second, third]) decoder.push(each);
  decoder.next();
  expect(decoder.args[1]).toHaveLength(250_000);
  expect([head.length, second.length, third.length]).toEqual([0, 0, 0]);
  decoder.push(fourth);
  decoder.release();
  expect(fourth.length).toBe(0);
});
