/**
 * The ceiling: how fast can any server on Bun.listen be? It finds the end of each request, and
 * answers each with the same number; it knows no commands, no names, no disk. Run it with a port,
 * as a process of its own.
 */

const REPLY = Buffer.from("$7\r\n1234567\r\n");
const REPLIES_AT_ONCE = 4096;
const replies = Buffer.alloc(REPLY.length * REPLIES_AT_ONCE, REPLY);

const [LF, ZERO, HEAD_LEAST] = [10, 48, 4];
const NONE = Buffer.alloc(0);

/** The bytes of a socket that are not a complete request yet. */
interface Unread {
  bytes: Buffer;
}

/** Reads the count in "*2\r\n" or "$3\r\n" at `at`. Answers the line's end; -1 if incomplete. */
let count = 0;
function readCount(bytes: Buffer, at: number, end: number): number {
  if (at + HEAD_LEAST > end) return -1;
  count = bytes[at + 1]! - ZERO;
  let next = at + 2;
  for (; next < end && bytes[next]! >= ZERO; next++) count = count * 10 + bytes[next]! - ZERO;
  return next + 1 < end && bytes[next + 1] === LF ? next + 2 : -1;
}

/** The end of the request at `at`; -1 if it is incomplete. */
function requestEnd(bytes: Buffer, at: number, end: number): number {
  let next = readCount(bytes, at, end);
  for (let left = count; left > 0 && next >= 0; left--) {
    next = readCount(bytes, next, end);
    if (next >= 0) next += count + 2;
    if (next > end) return -1;
  }
  return next;
}

Bun.listen<Unread>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  socket: {
    open(socket) {
      socket.data = { bytes: NONE };
    },
    data(socket, chunk) {
      const unread = socket.data.bytes;
      const bytes = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
      let requests = 0;
      let start = 0;
      while (start < bytes.length) {
        const end = requestEnd(bytes, start, bytes.length);
        if (end < 0) break;
        start = end;
        requests++;
      }
      socket.data.bytes = start === bytes.length ? NONE : bytes.subarray(start);
      for (let left = requests; left > 0; left -= REPLIES_AT_ONCE) {
        socket.write(replies, 0, Math.min(left, REPLIES_AT_ONCE) * REPLY.length);
      }
    },
  },
});

/** A module, so that its names are its own. */
export {};
