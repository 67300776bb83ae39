import { expect, test } from "bun:test";
import { AssertionError, assert } from "../../../src/base/assert.ts";

test("an assertion throws its message when it does not hold", () => {
  assert(true, "never");
  expect(() => assert(0, "the reason")).toThrow(new AssertionError("the reason"));
});
