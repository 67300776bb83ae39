/**
 * Mutations of the program. The fuzzer has to catch each within what it runs in the
 * tests: that is what its silence on the sound program is worth.
 */

import type { Change } from "../../support/program-copy.ts";

export interface FuzzMutation extends Change {
  readonly title: string;
  /** What the fuzzer says. */
  readonly caught: RegExp;
}

export const fuzzMutations: readonly FuzzMutation[] = [
  {
    title: "the fast lane takes a name without its CRLF",
    file: "src/resp/fast-get.ts",
    find: "if (bytes[to] !== CR || bytes[to + 1] !== LF) return false;",
    replace: "",
    caught: /not Protocol error/,
  },
  {
    title: "a chunk that is kept is copied one byte short",
    file: "src/resp/decode.ts",
    find: "this.bytes.copy(own, 0, this.start, this.end);",
    replace: "this.bytes.copy(own, 0, this.start, this.end - 1);",
    caught: /input \d+: client/,
  },
  {
    title: "a reply that is not wanted is sent behind a held one",
    file: "src/server/session/session.ts",
    find: "this.replyBuffer.discard(this.replyStart);\n      if (this.replyMode",
    replace:
      "if (!this.replyBuffer.isHolding) this.replyBuffer.discard(this.replyStart);\n      if (this.replyMode",
    caught: /input \d+: client/,
  },
  {
    title: "RESP3 has the null of RESP2",
    file: "src/resp/encode.ts",
    find: 'this.version === 2 ? "$-1\\r\\n" : "_\\r\\n"',
    replace: '"$-1\\r\\n"',
    caught: /a null bulk in RESP3/,
  },
  {
    title: "held numbers are released though their commit failed",
    file: "src/server/session/reply-buffer.ts",
    find: "if (failure !== undefined) this.rewrite(released, failure);",
    replace: "",
    caught: /handed out/,
  },
  {
    title: "a connection that ends forgets to say that it holds no more",
    file: "src/server/session/session.ts",
    find: "    this.decoder.release();\n    this.transaction = undefined;\n",
    replace: "",
    caught: /a client that has left holds nothing/,
  },
];
