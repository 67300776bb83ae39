/**
 * Streams from a seed: requests of the commands both servers have, right and slightly wrong, bytes
 * of them changed, the whole cut into pieces. A seed gives the same stream again.
 *
 * What is left out, even as a word: a stream out of step makes words into requests. Commands with
 * replies of their own kind (GET of a name, HSET, INFO, COMMAND), clocks, numbers of connections,
 * and CLIENT KILL of anybody, as others are under way. For the same reason bytes are changed into
 * marks and digits, never into letters, and no G, H or M is taken away: HGET must not become GET.
 * A wrong password, which ours answers late, is left to the streams written by hand: AUTH is always
 * right, or no log-in at all. So is what ends a client that wants no replies: Redis never closes it.
 */

import { randomFrom } from "../../../testkit/prng.ts";
import { encodeRequest } from "../../../testkit/resp.ts";
import type { Stream } from "./stream.ts";

const REQUESTS_MAX = 8;
const PIECES_MAX = 4;
const MUTATIONS_MAX = 3;
/** So many of 100 streams have bytes changed. */
const MUTATED_PERCENT = 40;

const NUMBERS = ["0", "1", "-1", "00", "2", "3", "10", "x", "9223372036854775808", "+1", " 1", ""];
const WORDS = [
  "a",
  "b",
  "",
  "hello",
  "*",
  "a b",
  "\r\n",
  "\x00",
  "\xff",
  "x'y",
  'x"y',
  "\\",
  "0",
  "-1",
];
const MARKS = "\r\n\x00 \t\v\f\"'\\$*-+:_%0123456789\x7f\x80\xff";

/** What stands for a word: one of these, or any word or number. */
type Pattern = readonly (readonly string[])[];

const ANY = WORDS;
const NUMBER = NUMBERS;

const patterns: readonly Pattern[] = [
  [["PING"]],
  [["PING"], ANY],
  [["ECHO"], ANY],
  [["ECHO"], ANY],
  [["SELECT"], NUMBER],
  [["RESET"]],
  [["HELLO"]],
  [["HELLO"], ["2", "3", "3", "4", "x", "03", ""]],
  [["HELLO"], ["2", "3"], ["SETNAME", "setname", "SETNAM"], ANY],
  [["HELLO"], ["2", "3"], ["AUTH"], ["default"], ANY],
  [["HELLO"], ["3"], ["AUTH"], ["default"], ANY, ["SETNAME", "x"], ANY],
  [["AUTH"], ANY],
  [["AUTH"], ["default"], ANY],
  [["MULTI"]],
  [["MULTI"]],
  [["EXEC"]],
  [["EXEC"]],
  [["DISCARD"]],
  [["CLIENT"], ["GETNAME", "getname"]],
  [["CLIENT"], ["SETNAME"], ANY],
  [["CLIENT"], ["REPLY"], ["ON", "OFF", "SKIP", "skip", "x"]],
  [["CLIENT"], ["NO-EVICT"], ["ON", "off", "x"]],
  [["CLIENT"], ["KILL"], ["1.2.3.4:5", "x", ""]],
  [["CLIENT"], ["KILL"], ["ID"], ["999999999999999", "x", "0", "-1"], ["SKIPME"], ["yes", "x"]],
  [["CLIENT"], ["LIST"], ["TYPE", "x"], ["master", "x"]],
  [["CLIENT"], ["NOSUCH", "", "x\r\ny"], ANY],
  [["EXISTS"], ANY, ANY],
  [["TYPE"], ANY],
  [["DBSIZE"]],
  [["KEYS"], ANY],
  [["SCAN"], NUMBER],
  [["SCAN"], NUMBER, ["COUNT", "count"], NUMBER],
  [["SCAN"], ["0"], ["MATCH", "TYPE", "x"], ANY, ["COUNT", "MATCH", "x"], NUMBER],
  [["HGET"], ANY, ANY],
  [["HGETALL"], ANY],
  [["DEL"], ANY, ANY],
  [["CONFIG"], ["GET"], ["nosuch", "nosuch*", ""], ["nosuch"]],
  [["CONFIG"], ["SET"], ["nosuch", "", "x y"], ANY],
  [["CONFIG"], ["NOSUCH", ""], ANY],
  [["NOSUCH", "", "x\r\ny", "x\x00y"], ANY, ANY, ANY],
  [["GET"], ["a"], ["b"]],
  [["GET", "MGET", "DEL", "HGET", "ECHO", "SELECT", "KEYS", "TYPE", "SCAN", "CLIENT", "CONFIG"]],
];

/** Where bytes are left as they are: a changed AUTH may be a wrong one, KILL kill, LIST list. */
const UNCHANGED = /auth|kill|list|reply/i;

/** How a request is written, most as they should be. */
const forms = ["bulks", "bulks", "bulks", "bulks", "bulks", "line", "line", "empty", "wrong"];
const EMPTY_REQUESTS = ["*0\r\n", "*-1\r\n", "*-10\r\n", "\r\n", "\n", "  \r\n"];
const WRONG_HEADERS = [
  "*01\r\n",
  "*x\r\n",
  "*1\r\n$-1\r\n",
  "*1\r\n$04\r\n",
  "*1\r\n+4\r\n",
  "*\r\n",
];

const QUIT = "QUIT\r\n";

export function generate(seed: number): Stream {
  const random = randomFrom(seed);
  const upTo = (count: number) => Math.floor(random() * count);
  const pick = <T>(some: readonly T[]): T => some[upTo(some.length)]!;
  const chance = (percent: number) => random() * 100 < percent;

  const words = () => {
    const request = pick(patterns).map((choices) => pick(choices));
    if (chance(30)) request[0] = request[0]!.toLowerCase();
    // CONFIG GET * would show what each has; of AUTH see above.
    if (chance(5) && !isLogIn(request)) request.push(pick(WORDS.filter((word) => word !== "*")));
    if (chance(5) && request.length > 1 && !/^h?get$/i.test(request[0]!)) request.pop();
    return request;
  };
  const request = () => {
    switch (pick(forms)) {
      case "line":
        return `${words()
          .map(quoted)
          .join(pick([" ", " ", "  ", "\t"]))}${pick(["\r\n", "\n"])}`;
      case "empty":
        return pick(EMPTY_REQUESTS);
      case "wrong":
        return chance(10) ? pick(WRONG_HEADERS) : encodeRequest(...words());
      default:
        return encodeRequest(...words());
    }
  };

  const requests = Array.from({ length: 1 + upTo(REQUESTS_MAX) }, request);
  if (chance(3)) requests.push(QUIT);
  const isSilent = requests.some((each) => /reply/i.test(each));
  const ends = (each: string) => each === QUIT || WRONG_HEADERS.includes(each);
  let bytes = requests.filter((each) => !(isSilent && ends(each))).join("");
  if (chance(MUTATED_PERCENT) && !UNCHANGED.test(bytes)) {
    for (let left = 1 + upTo(MUTATIONS_MAX); left > 0; left--) {
      const at = upTo(bytes.length);
      const isKept = chance(50);
      if (!isKept && /[GHM]/i.test(bytes[at]!)) continue;
      const put = chance(70) ? MARKS[upTo(MARKS.length)]! : "";
      bytes = bytes.slice(0, at) + put + bytes.slice(isKept ? at : at + 1);
    }
    if (chance(20)) bytes = bytes.slice(0, upTo(bytes.length));
  }
  const cuts = Array.from({ length: upTo(PIECES_MAX) }, () => upTo(bytes.length + 1));
  const points = [0, ...cuts.sort((a, b) => a - b), bytes.length];
  const chunks = points.slice(1).map((end, index) => bytes.slice(points[index], end));
  return {
    name: `seed ${seed}`,
    chunks: chunks.filter((chunk) => chunk !== ""),
    isFenced: chance(70),
    normalise: [],
  };
}

function isLogIn([command]: readonly string[]): boolean {
  return /^auth$/i.test(command!);
}

/** A word of an inline request. */
function quoted(word: string): string {
  if (/^[!#-&(-[\]-~]+$/.test(word)) return word;
  const inside = word.replace(/[^ -~]|["\\]/g, (byte) =>
    /["\\]/.test(byte) ? `\\${byte}` : `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${inside}"`;
}
