import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { networkOf } from "../../../../src/server/session/peer.ts";

describe("the network of a client's host", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["203.0.113.9", "203.0.113.9"],
    ["::ffff:203.0.113.9", "203.0.113.9"],
    ["::FFFF:203.0.113.9", "203.0.113.9"],
    ["unix:/run/number-dispenser.sock", "unix:/run/number-dispenser.sock"],
    ["unix:@abstract:1.2", "unix:@abstract:1.2"],
    ["", ""],
    ["::", "0:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["1::", "1:0:0:0::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:db8::2:3:4:5:6", "2001:db8:0:2::/64"],
    ["2001::2:3:4:5:6", "2001:0:0:2::/64"],
    ["2001:db8:1::3:4:5:6", "2001:db8:1:0::/64"],
    ["::2:3:4:5:6:7", "0:0:2:3::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["fe80::1%eth0.100", "fe80:0:0:0::/64"],
    ["fe80::1%en::1", "fe80:0:0:0::/64"],
  ])("%s is %s", (host, network) => {
    expect(networkOf(host)).toBe(network);
  });

  test("of any IPv6 address is its first four groups, however its zeros are written", () => {
    const group = fc.oneof(
      { arbitrary: fc.constant(0), weight: 2 },
      fc.integer({ min: 1, max: 0xffff }),
    );
    const groups = fc.array(group, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, fc.nat(7), fc.nat(8), (numbers, from, count) => {
        const texts = numbers.map((number) => number.toString(16));
        const network = `${texts.slice(0, 4).join(":")}::/64`;
        expect(networkOf(texts.join(":"))).toBe(network);
        // With "::" in the place of some zeros.
        const end = Math.min(8, from + count);
        if (end - from < 1 || numbers.slice(from, end).some((number) => number !== 0)) return;
        const short = `${texts.slice(0, from).join(":")}::${texts.slice(end).join(":")}`;
        expect(networkOf(short)).toBe(network);
      }),
      { numRuns: 500 },
    );
  });
});
