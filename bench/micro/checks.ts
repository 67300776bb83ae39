/** What does a check digit cost, with every scheme? */

import { group } from "mitata";
import { checks } from "../../src/dispenser/format/checks/table.ts";
import { bench } from "./bench.ts";

const DIGITS = 12;
/** Room in front and behind. */
const ROOM = 4;
/** How many texts are taken in turn, so that none is known beforehand. */
const TEXTS = 1024;

export function benchChecks(): void {
  group(`checks: what does a check of ${DIGITS} digits cost?`, () => {
    const texts = Array.from({ length: TEXTS }, () => {
      const number = Math.floor(Math.random() * 10 ** DIGITS);
      const digits = String(number).padStart(DIGITS, "0");
      return Uint8Array.from(Buffer.from(digits.padStart(ROOM + DIGITS).padEnd(2 * ROOM + DIGITS)));
    });
    for (const check of checks) {
      const at = check.isInFront ? 0 : ROOM + DIGITS;
      let next = 0;
      bench(check.name, () => {
        const text = texts[next]!;
        check.write(text, ROOM, ROOM + DIGITS, at);
        next = (next + 1) % TEXTS;
      });
    }
  });
}
